//! Values of options and of members of the configuration file that must have a form.

use core::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// Where to listen: a host and a port.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct HostAndPort(String);

impl HostAndPort {
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected HOST:PORT, such as 127.0.0.1:3000";
        let (host, port) = text.rsplit_once(':').ok_or(EXPECTED)?;
        // An IPv6 address needs brackets, because otherwise its last group looks like a port.
        let bare_ipv6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
        if host.is_empty() || bare_ipv6 || port.parse::<u16>().is_err() {
            return Err(EXPECTED);
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn host(&self) -> &str {
        self.0.rsplit_once(':').map_or(&self.0, |(host, _)| host)
    }

    /// Returns the same host with another port.
    pub(crate) fn with_port(&self, port: u16) -> Self {
        Self(format!("{}:{port}", self.host()))
    }
}

impl Default for HostAndPort {
    fn default() -> Self {
        Self("127.0.0.1:3000".to_owned())
    }
}

impl TryFrom<String> for HostAndPort {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).map_err(|expected| format!("{text:?}: {expected}"))
    }
}

/// A host name that the server answers to, or `*`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct HostName(String);

impl HostName {
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        // Other servers have an option of this name for the address to listen on.
        if matches!(text, "0.0.0.0" | "::" | "[::]") {
            return Err(
                "no client uses this host name: to listen on every address, use --listen 0.0.0.0:3000",
            );
        }
        let is_name =
            !text.contains('*') && text.parse::<http::uri::Authority>().is_ok_and(|name| name.host() == text);
        if text == "*" || is_name {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err("expected a host name without a port, such as dev.example, or *")
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HostName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).map_err(|expected| format!("{text:?}: {expected}"))
    }
}

/// The number of threads that serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Workers(usize);

impl Workers {
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        text.parse().ok().and_then(Self::new).ok_or("expected a number from 1 to 1024")
    }

    fn new(workers: u64) -> Option<Self> {
        usize::try_from(workers).ok().filter(|workers| (1..=1_024).contains(workers)).map(Self)
    }

    pub(crate) fn get(self) -> usize {
        self.0
    }
}

impl<'de> Deserialize<'de> for Workers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // YAML, asked for a number, would say less about a text.
        deserializer.deserialize_any(WorkersVisitor)
    }
}

struct WorkersVisitor;

impl Visitor<'_> for WorkersVisitor {
    type Value = Workers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number from 1 to 1024, without quotes")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Workers, E> {
        Workers::new(number).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Workers, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for text in ["127.0.0.1:3000", "localhost:0", "[::1]:80", "0.0.0.0:65535"] {
            assert!(HostAndPort::parse(text).is_ok(), "{text}");
        }
        for text in ["", "3000", ":3000", "localhost", "::1", "::1:3000", "a:65536", "a:b"] {
            assert!(HostAndPort::parse(text).is_err(), "{text}");
        }
        assert_eq!(HostAndPort::parse("[::1]:80").unwrap().with_port(81).as_str(), "[::1]:81");
    }

    #[test]
    fn a_host_is_a_name_without_a_port_or_a_star() {
        for text in ["dev.example", "DEV", "*", "10.0.2.2"] {
            assert_eq!(HostName::parse(text).unwrap().as_str(), text.to_ascii_lowercase());
        }
        for text in ["", "dev.example:80", "http://dev.example", "a b", "a@b", "*.example"] {
            assert!(HostName::parse(text).is_err(), "{text}");
        }
        for every in ["0.0.0.0", "::", "[::]"] {
            assert!(
                HostName::parse(every).is_err_and(|sentence| sentence.contains("use --listen 0.0.0.0:3000"))
            );
        }
    }
}
