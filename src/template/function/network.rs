//! Functions on network addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::declaration::{Call, Failure, Function, Of, Outcome, number, string};
use crate::value::{Kind, Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "cidrcontains",
        &[string("prefix"), string("address")],
        Of::Bool,
        "whether an address or prefix lies in a prefix",
        cidrcontains,
    ),
    Function::new(
        "cidrhost",
        &[string("prefix"), number("host")],
        Of::String,
        "the address of a host in a prefix; negative numbers count from its end",
        cidrhost,
    ),
    Function::new(
        "cidrnetmask",
        &[string("prefix")],
        Of::String,
        "the netmask of a prefix",
        |call| {
            let prefix = Prefix::parse(call, 0)?;
            let mask = Prefix { bits: prefix.mask(), ..prefix };
            Ok(Value::string(mask.address().to_string()))
        },
    ),
    Function::new(
        "cidrsubnet",
        &[string("prefix"), number("bits"), number("subnet")],
        Of::String,
        "a prefix inside of a prefix, longer by some bits",
        cidrsubnet,
    ),
    Function::new(
        "cidrsubnets",
        &[string("prefix")],
        Of::List(&Of::String),
        "prefixes inside of a prefix, one after another, each longer by some bits",
        cidrsubnets,
    )
    .variadic(number("bits")),
];

/// A network prefix; the address is right-aligned in 128 bits, without the bits of hosts.
#[derive(Clone, Copy)]
struct Prefix {
    bits: u128,
    length: u32,
    four: bool,
}

impl Prefix {
    fn parse(call: &Call<'_>, at: usize) -> Result<Self, Failure> {
        let wrong = || {
            Failure::of(at, format!("{} is not a network prefix", call.shown(at)))
                .help("a prefix is written `10.0.0.0/16` or `fd00::/8`")
        };
        let (address, length) = call.text(at).split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let length: u32 = length.parse().map_err(|_| wrong())?;
        let (bits, four) = bits_of(address);
        let prefix = Self { bits, length, four };
        if length > prefix.width() {
            return Err(wrong());
        }
        Ok(Self { bits: bits & prefix.mask(), ..prefix })
    }

    fn width(self) -> u32 {
        if self.four { 32 } else { 128 }
    }

    /// Bits of hosts.
    fn free(self) -> u32 {
        self.width() - self.length
    }

    fn mask(self) -> u128 {
        let all = if self.four { u128::from(u32::MAX) } else { u128::MAX };
        let hosts = 1u128.checked_shl(self.free()).map_or(u128::MAX, |one| one - 1);
        all & !hosts
    }

    fn address(self) -> IpAddr {
        if self.four {
            IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(self.bits).unwrap_or(u32::MAX)))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(self.bits))
        }
    }

    fn text(self) -> String {
        format!("{}/{}", self.address(), self.length)
    }
}

fn bits_of(address: IpAddr) -> (u128, bool) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), true),
        IpAddr::V6(address) => (address.to_bits(), false),
    }
}

fn cidrcontains(call: &Call<'_>) -> Outcome {
    let prefix = Prefix::parse(call, 0)?;
    let inner = if call.text(1).contains('/') {
        Prefix::parse(call, 1)?
    } else {
        let address: IpAddr = call
            .text(1)
            .parse()
            .map_err(|_| Failure::of(1, format!("{} is not an address", call.shown(1))))?;
        let (bits, four) = bits_of(address);
        Prefix { bits, length: if four { 32 } else { 128 }, four }
    };
    if prefix.four != inner.four {
        return Err(Failure::of(1, "both have to be IPv4 or both IPv6"));
    }
    Ok(Value::bool(inner.length >= prefix.length && inner.bits & prefix.mask() == prefix.bits))
}

fn cidrhost(call: &Call<'_>) -> Outcome {
    let prefix = Prefix::parse(call, 0)?;
    let number = call.integer(1)?;
    let hosts = 1u128.checked_shl(prefix.free());
    let beyond =
        || Failure::of(1, format!("a prefix of length {} has no host {number}", prefix.length));
    let distance = u128::from(number.unsigned_abs());
    let host = if number < 0 {
        match hosts {
            Some(hosts) => hosts.checked_sub(distance).ok_or_else(beyond)?,
            None => u128::MAX - distance + 1,
        }
    } else {
        if hosts.is_some_and(|hosts| distance >= hosts) {
            return Err(beyond());
        }
        distance
    };
    Ok(Value::string(Prefix { bits: prefix.bits | host, ..prefix }.address().to_string()))
}

fn longer(prefix: Prefix, bits: usize, at: usize) -> Result<u32, Failure> {
    u32::try_from(bits)
        .ok()
        .filter(|bits| *bits <= prefix.free())
        .map(|bits| prefix.length + bits)
        .ok_or_else(|| {
            Failure::of(
                at,
                format!("a prefix of length {} cannot be longer by {bits} bits", prefix.length),
            )
        })
}

fn cidrsubnet(call: &Call<'_>) -> Outcome {
    let prefix = Prefix::parse(call, 0)?;
    let bits = call.size(1)?;
    let length = longer(prefix, bits, 1)?;
    let subnet = call.integer(2)?;
    let number = u128::try_from(subnet).ok();
    let count = 1u128.checked_shl(length - prefix.length);
    let fits = number.filter(|number| count.is_none_or(|count| *number < count));
    let Some(number) = fits else {
        return Err(Failure::of(2, format!("{bits} bits do not hold a subnet numbered {subnet}")));
    };
    let inner = Prefix { length, ..prefix };
    let shifted = number.checked_shl(inner.free()).unwrap_or(0);
    Ok(Value::string(Prefix { bits: prefix.bits | shifted, ..inner }.text()))
}

fn cidrsubnets(call: &Call<'_>) -> Outcome {
    let prefix = Prefix::parse(call, 0)?;
    let last =
        prefix.bits | !prefix.mask() & if prefix.four { u128::from(u32::MAX) } else { u128::MAX };
    let mut next = Some(prefix.bits);
    let mut subnets = Vec::new();
    for at in 1..call.arguments.len() {
        let bits = call.size(at)?;
        if bits == 0 {
            return Err(Failure::of(at, "a prefix has to be longer by at least one bit"));
        }
        let inner = Prefix { length: longer(prefix, bits, at)?, ..prefix };
        let size = 1u128.checked_shl(inner.free()).unwrap_or(0);
        let full = || Failure::of(at, "there is no room for this prefix after the ones before");
        // The next address that such a prefix can begin at.
        let from = next.ok_or_else(full)?;
        let begin = from.checked_add(size - 1).ok_or_else(full)? & inner.mask();
        let end = begin.checked_add(size - 1).ok_or_else(full)?;
        if end > last {
            return Err(full());
        }
        subnets.push(Value::string(Prefix { bits: begin, ..inner }.text()));
        next = end.checked_add(1);
    }
    Ok(Value::new(Kind::List(Type::String, subnets)))
}
