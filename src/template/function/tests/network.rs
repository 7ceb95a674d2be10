//! Functions on network addresses.

use crate::template::evaluate::tests::check;

pub(super) const TABLE: &str = r#"
cidrhost("10.12.112.0/20", 16)  => "10.12.112.16"
cidrhost("10.12.112.5/20", 1)  => "10.12.112.1"
cidrhost("10.12.112.0/20", -1)  => "10.12.127.255"
cidrhost("10.0.0.0/30", 5)  => error: `cidrhost`: a prefix of length 30 has no host 5
cidrhost("fd00:fd12:3456:7890:00a2::/72", 34)  => "fd00:fd12:3456:7890::22"
cidrhost("0.0.0.0/0", 1)  => "0.0.0.1"
cidrhost("::/0", -1)  => "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
cidrhost("x", 1)  => error: `cidrhost`: "x" is not a network prefix
cidrnetmask("172.16.0.0/12")  => "255.240.0.0"
cidrnetmask("fd00::/8")  => "ff00::"
cidrsubnet("172.16.0.0/12", 4, 2)  => "172.18.0.0/16"
cidrsubnet("172.16.0.0/12", 4, 16)  => error: `cidrsubnet`: 4 bits do not hold a subnet numbered 16
cidrsubnet("172.16.0.0/30", 4, 1)  => error: `cidrsubnet`: a prefix of length 30 cannot be longer by 4 bits
cidrsubnet("fd00:fd12:3456:7890::/56", 16, 162)  => "fd00:fd12:3456:7800:a200::/72"
cidrsubnet("::/0", 128, 1)  => "::1/128"
cidrsubnets("10.1.0.0/16", 4, 4, 8, 4)  => ["10.1.0.0/20", "10.1.16.0/20", "10.1.32.0/24", "10.1.48.0/20"]
cidrsubnets("10.1.0.0/16")  => []
cidrsubnets("10.0.0.0/30", 1, 1, 1)  => error: `cidrsubnets`: there is no room for this prefix after the ones before
cidrcontains("10.0.0.0/8", "10.1.2.3")  => true
cidrcontains("10.0.0.0/8", "11.0.0.0/16")  => false
cidrhost("10.0.0.0/8", 1.5)  => error: `cidrhost`: a whole number is required
cidrhost(null, 1)  => error: `prefix` of `cidrhost` must not be null
cidrhost("10.0.0.0/8", var.later)  => (unknown)
cidrnetmask("0.0.0.0/0")  => "0.0.0.0"
cidrnetmask("10.0.0.0/33")  => error: `cidrnetmask`: "10.0.0.0/33" is not a network prefix
cidrsubnet("10.0.0.0/8", -1, 0)  => error: `cidrsubnet`: a number of at least zero is required
cidrsubnet("10.0.0.0/8", 0, 0)  => "10.0.0.0/8"
cidrsubnets("10.0.0.0/8", 0)  => error: `cidrsubnets`: a prefix has to be longer by at least one bit
cidrsubnets("10.0.0.0/8", 25)  => error: `cidrsubnets`: a prefix of length 8 cannot be longer by 25 bits
cidrsubnets("fd00::/16", 4, 8)  => ["fd00::/20", "fd00:1000::/24"]
cidrcontains("10.0.0.0/8", "fd00::1")  => error: `cidrcontains`: both have to be IPv4 or both IPv6
cidrcontains("10.0.0.0/8", "x")  => error: `cidrcontains`: "x" is not an address
cidrcontains("10.1.0.0/16", "10.0.0.0/8")  => false
"#;

#[test]
fn as_documented() {
    check(TABLE);
}
