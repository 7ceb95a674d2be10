//! Tunnels through an SSH connection.

/// A tunnel, written `PORT:HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// The port that is listened on, always on the loopback address.
    pub listen: u16,
    /// Where connections go.
    pub host: String,
    /// The port there.
    pub port: u16,
}

impl std::str::FromStr for Tunnel {
    type Err = String;

    /// # Errors
    /// What is wrong, in a few words.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').and_then(|(listen, to)| {
            let (host, port) = to.rsplit_once(':')?;
            Some((listen, host, port))
        });
        let Some((listen, host, port)) = parts else {
            return Err("it has the form `PORT:HOST:PORT`".to_owned());
        };
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address,
            None if host.contains(':') => {
                return Err("an IPv6 address stands in brackets, such as `[::1]`".to_owned());
            }
            None => host,
        };
        if host.is_empty() {
            return Err("there is no host between the ports".to_owned());
        }
        Ok(Self { listen: number(listen)?, host: host.to_owned(), port: number(port)? })
    }
}

fn number(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("`{text}` is no port")),
        Ok(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tunnels_have_a_port_a_host_and_a_port() {
        let tunnel = |listen, host: &str, port| Ok(Tunnel { listen, host: host.to_owned(), port });
        assert_eq!("8080:db.internal:5432".parse(), tunnel(8080, "db.internal", 5432));
        assert_eq!("8080:[::1]:80".parse(), tunnel(8080, "::1", 80));
        for (text, problem) in [
            ("8080", "it has the form `PORT:HOST:PORT`"),
            ("8080:80", "it has the form `PORT:HOST:PORT`"),
            ("8080::80", "there is no host between the ports"),
            ("8080:::1:80", "an IPv6 address stands in brackets, such as `[::1]`"),
            ("x:db:80", "`x` is no port"),
            ("8080:db:70000", "`70000` is no port"),
        ] {
            assert_eq!(text.parse::<Tunnel>(), Err(problem.to_owned()), "{text}");
        }
    }
}
