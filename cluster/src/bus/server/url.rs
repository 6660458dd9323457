//! The URLs of servers.

use core::fmt;

use percent_encoding::percent_decode_str;

/// The schemes of a kind of server, and its usual port.
#[derive(Debug)]
pub(crate) struct Scheme {
    pub(crate) plain: &'static str,
    pub(crate) tls: &'static str,
    pub(crate) port: u16,
    /// A database may stand behind the host.
    pub(crate) has_database: bool,
}

/// Where a server is, and who asks.
#[derive(Clone)]
pub(crate) struct ServerUrl {
    scheme: &'static str,
    pub(crate) is_tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
}

/// A URL that a bus cannot use. It does not show the URL, because that may contain a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("URL {number} of the bus {problem}")]
#[non_exhaustive]
pub struct InvalidUrl {
    /// Which one it is: the first is 1.
    pub number: usize,
    /// What is wrong with it.
    pub problem: UrlProblem,
}

/// What is wrong with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlProblem {
    /// There is no URL at all.
    #[error("is missing: expected at least one")]
    Missing,
    /// It begins with another scheme, or with none.
    #[error("has another scheme: expected `{plain}://` or `{tls}://`")]
    Scheme {
        /// The scheme without TLS.
        plain: &'static str,
        /// The scheme with TLS.
        tls: &'static str,
    },
    /// It has the scheme for TLS, and this program was built without the feature `tls`.
    #[error("asks for TLS, and this program was built without the feature `tls` of eio-cluster")]
    NoTls,
    /// There is no host, or it has characters that a host cannot have.
    #[error("has no valid host: expected a name, an IPv4 address, or an IPv6 address in brackets")]
    Host,
    /// The port is not one. A `/`, `?` or `#` in the password looks like this, too.
    #[error(
        "has no valid port: expected 1 to 65535, and `/`, `?`, `#` and `@` of a password as %2F, %3F, %23 and %40"
    )]
    Port,
    /// The user or the password has a `%` that encodes no byte of UTF-8.
    #[error("has a user or password with invalid percent-encoding")]
    Encoding,
    /// Something that means nothing here stands behind the host.
    #[error("has more than a host and a port: expected no path, query or fragment")]
    Rest,
    /// What stands behind the host is not the number of a database.
    #[error("names no valid database: expected nothing or a number behind the `/`")]
    Database,
}

/// Reads all URLs of a bus.
pub(super) fn all<U: AsRef<str>>(
    urls: impl IntoIterator<Item = U>,
    scheme: &'static Scheme,
) -> Result<Vec<ServerUrl>, InvalidUrl> {
    let numbered = urls.into_iter().zip(1..);
    let urls = numbered
        .map(|(url, number)| {
            ServerUrl::parse(url.as_ref(), scheme).map_err(|problem| InvalidUrl { number, problem })
        })
        .collect::<Result<Vec<_>, _>>()?;
    if urls.is_empty() { Err(InvalidUrl { number: 1, problem: UrlProblem::Missing }) } else { Ok(urls) }
}

impl ServerUrl {
    fn parse(url: &str, scheme: &'static Scheme) -> Result<Self, UrlProblem> {
        let Scheme { plain, tls, port, has_database } = *scheme;
        let unknown = UrlProblem::Scheme { plain, tls };
        let (begin, rest) = url.split_once("://").ok_or(unknown)?;
        let is_tls = begin.eq_ignore_ascii_case(tls);
        if !is_tls && !begin.eq_ignore_ascii_case(plain) {
            return Err(unknown);
        }
        if is_tls && !cfg!(feature = "tls") {
            return Err(UrlProblem::NoTls);
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (credentials, address) = match authority.rsplit_once('@') {
            Some((credentials, address)) => (Some(credentials), address),
            None => (None, authority),
        };
        let (user, password) = credentials.map_or(Ok((None, None)), user_and_password)?;
        let (host, port) = host_and_port(address, port)?;
        match path.strip_prefix('/').unwrap_or(path) {
            "" => {}
            database if has_database && path.starts_with('/') => {
                if database.parse::<u32>().is_err() {
                    return Err(UrlProblem::Database);
                }
            }
            _ => return Err(UrlProblem::Rest),
        }
        Ok(Self { scheme: if is_tls { tls } else { plain }, is_tls, host, port, user, password })
    }

    /// Another server of the same kind, for the same user.
    #[cfg(feature = "redis")]
    pub(crate) fn with_address(&self, host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port, ..self.clone() }
    }
}

fn user_and_password(credentials: &str) -> Result<(Option<String>, Option<String>), UrlProblem> {
    let decode = |part: &str| match percent_decode_str(part).decode_utf8() {
        Ok(text) if text.chars().any(char::is_control) => Err(UrlProblem::Encoding),
        Ok(text) => Ok((!text.is_empty()).then(|| text.into_owned())),
        Err(_) => Err(UrlProblem::Encoding),
    };
    match credentials.split_once(':') {
        Some((user, password)) => Ok((decode(user)?, decode(password)?)),
        None => Ok((decode(credentials)?, None)),
    }
}

fn host_and_port(address: &str, usual: u16) -> Result<(String, u16), UrlProblem> {
    let (host, port) = if let Some(rest) = address.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or(UrlProblem::Host)?;
        host.parse::<core::net::Ipv6Addr>().map_err(|_| UrlProblem::Host)?;
        (host, port.strip_prefix(':').or(port.is_empty().then_some("")).ok_or(UrlProblem::Port)?)
    } else {
        let (host, port) = address.split_once(':').unwrap_or((address, ""));
        let is_fit = |sign: u8| sign.is_ascii_alphanumeric() || matches!(sign, b'-' | b'.' | b'_');
        if host.is_empty() || !host.bytes().all(is_fit) {
            return Err(UrlProblem::Host);
        }
        (host, port)
    };
    let port = if port.is_empty() { usual } else { port.parse().map_err(|_| UrlProblem::Port)? };
    if port == 0 { Err(UrlProblem::Port) } else { Ok((host.to_owned(), port)) }
}

/// Without the user and the password.
impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, .. } = self;
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEME: Scheme = Scheme { plain: "redis", tls: "rediss", port: 6_379, has_database: true };
    const OTHER: Scheme = Scheme { plain: "nats", tls: "tls", port: 4_222, has_database: false };

    fn parse(url: &str) -> Result<ServerUrl, UrlProblem> {
        ServerUrl::parse(url, &SCHEME)
    }

    #[test]
    fn urls_have_a_host_and_perhaps_a_port_a_user_a_password_and_a_database() {
        let url = parse("redis://ann:p%40ss%3a%2F@cache.example:7000/2").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.is_tls), ("cache.example", 7_000, false));
        assert_eq!((url.user.as_deref(), url.password.as_deref()), (Some("ann"), Some("p@ss:/")));
        let url = parse("REDIS://:secret@[::1]").unwrap();
        assert_eq!((url.host.as_str(), url.port), ("::1", 6_379));
        assert_eq!((url.user.as_deref(), url.password.as_deref()), (None, Some("secret")));
        let token = ServerUrl::parse("nats://token@127.0.0.1:14222/", &OTHER).unwrap();
        assert_eq!((token.user.as_deref(), token.password), (Some("token"), None));
        #[cfg(feature = "tls")]
        assert!(parse("rediss://h").unwrap().is_tls);
        #[cfg(not(feature = "tls"))]
        assert_eq!(parse("rediss://h").unwrap_err(), UrlProblem::NoTls);
    }

    #[test]
    fn no_text_about_a_url_shows_its_password() {
        let url = parse("redis://ann:secret@h").unwrap();
        assert_eq!(
            (format!("{url}"), format!("{url:?}")),
            ("redis://h:6379".into(), "redis://h:6379".into())
        );
        assert_eq!(parse("redis://:secret@[::1]").unwrap().to_string(), "redis://[::1]:6379");
        for url in ["redis://:sec/ret@h", "redis://secret:h:1", "redis://secret%ff@h", "secret"] {
            let error = all(["redis://h", url], &SCHEME).unwrap_err();
            assert_eq!(error.number, 2);
            assert!(!error.to_string().contains("sec"), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_told() {
        let unknown = UrlProblem::Scheme { plain: "redis", tls: "rediss" };
        for (url, problem) in [
            ("", unknown),
            ("localhost:6379", unknown),
            ("http://localhost", unknown),
            ("redis://", UrlProblem::Host),
            ("redis://a b", UrlProblem::Host),
            ("redis://[::1", UrlProblem::Host),
            ("redis://[x]:1", UrlProblem::Host),
            ("redis://h:0", UrlProblem::Port),
            ("redis://h:65536", UrlProblem::Port),
            ("redis://[::1]6379", UrlProblem::Port),
            ("redis://a%0d%0ab@h", UrlProblem::Encoding),
            ("redis://h/cache", UrlProblem::Database),
            ("redis://h?protocol=resp3", UrlProblem::Rest),
        ] {
            assert_eq!(parse(url).unwrap_err(), problem, "{url}");
        }
        assert_eq!(ServerUrl::parse("nats://h/1", &OTHER).unwrap_err(), UrlProblem::Rest);
        assert_eq!(all([""; 0], &SCHEME).unwrap_err().problem, UrlProblem::Missing);
    }
}
