//! Where a session's stream may lead.

use super::sessions::SessionError;

/// Ends of host names that are AWS's.
const SUFFIXES: &[&str] = &[
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".api.aws",
    ".api.amazonwebservices.com.cn",
];

/// Which addresses a session may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamHosts {
    /// Those of AWS: the token and a signature go there.
    Aws,
    /// Any over TLS, and loopback without: an endpoint of one's own.
    Own,
}

/// A stream's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StreamAddress {
    /// As it was given, to be used as it is.
    pub(super) url: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
}

/// Checks the address that the service gave.
pub(super) fn check(url: &str, hosts: StreamHosts) -> Result<StreamAddress, SessionError> {
    let bad = |why: &str| {
        // The query is as good as a key.
        let shown = url.split('?').next().unwrap_or_default();
        SessionError::bad_address(format!("the session's address `{shown}` {why}"))
    };
    let uri: http::Uri = url.parse().map_err(|_| bad("is no URL"))?;
    let tls = match uri.scheme_str() {
        Some("wss") => true,
        Some("ws") => false,
        _ => return Err(bad("is not for a WebSocket")),
    };
    let authority = uri.authority().ok_or_else(|| bad("has no host"))?;
    if authority.as_str().contains('@') {
        return Err(bad("has a user in it"));
    }
    let host = authority.host().to_ascii_lowercase();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = bare == "localhost"
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match hosts {
        StreamHosts::Aws => {
            if !tls {
                return Err(bad("has no TLS"));
            }
            let service = host
                .split('.')
                .any(|label| label == "ssmmessages" || label.starts_with("ssmmessages-"));
            let known = SUFFIXES.iter().any(|suffix| host.ends_with(suffix));
            if !service || !known || authority.port_u16().is_some_and(|port| port != 443) {
                return Err(bad("is not AWS's"));
            }
        }
        StreamHosts::Own if !tls && !loopback => {
            return Err(bad("has no TLS and is not on this machine"));
        }
        StreamHosts::Own => {}
    }
    let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
    Ok(StreamAddress { url: url.to_owned(), host: bare.to_owned(), port, tls })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &str = "wss://ssmmessages.eu-west-1.amazonaws.com/v1/data-channel/me@example.com-0abc?role=publish_subscribe&cell-number=AAEAAb+/x1==";

    #[test]
    fn the_address_of_aws_is_taken_as_it_is() {
        let address = check(REAL, StreamHosts::Aws).unwrap();
        assert_eq!(address.url, REAL);
        assert_eq!(
            (address.host.as_str(), address.port, address.tls),
            ("ssmmessages.eu-west-1.amazonaws.com", 443, true)
        );
        for host in [
            "ssmmessages.cn-north-1.amazonaws.com.cn",
            "ssmmessages-fips.us-gov-west-1.amazonaws.com",
            "vpce-0abc.ssmmessages.us-east-1.vpce.amazonaws.com",
            "ssmmessages.eusc-de-east-1.amazonaws.eu",
            "ssmmessages.us-east-1.api.aws",
        ] {
            check(&format!("wss://{host}/v1/data-channel/s?role=x"), StreamHosts::Aws).unwrap();
        }
    }

    #[test]
    fn everything_else_is_refused_and_the_query_not_shown() {
        for url in [
            "ws://ssmmessages.eu-west-1.amazonaws.com/x?secret",
            "https://ssmmessages.eu-west-1.amazonaws.com/x?secret",
            "wss://ssmmessages.eu-west-1.amazonaws.com.example.org/x?secret",
            "wss://evilamazonaws.com/x?secret",
            "wss://s3.eu-west-1.amazonaws.com/x?secret",
            "wss://me@ssmmessages.eu-west-1.amazonaws.com/x?secret",
            "wss://ssmmessages.eu-west-1.amazonaws.com:8443/x?secret",
            "ws://127.0.0.1:80/x?secret",
            "not a url?secret",
            "?secret",
        ] {
            let error = check(url, StreamHosts::Aws).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn an_own_endpoint_needs_tls_but_on_this_machine() {
        let address = check("ws://127.0.0.1:4510/v1/data-channel/s", StreamHosts::Own).unwrap();
        assert_eq!((address.host.as_str(), address.port, address.tls), ("127.0.0.1", 4510, false));
        let six = check("ws://[::1]:4510/x", StreamHosts::Own).unwrap();
        assert_eq!(six.host, "::1");
        check("wss://cloud.example.org/x", StreamHosts::Own).unwrap();
        assert_eq!(
            check("ws://cloud.example.org/x", StreamHosts::Own).unwrap_err().to_string(),
            "the session's address `ws://cloud.example.org/x` has no TLS and is not on this machine"
        );
    }
}
