//! Where the other nodes are.

use core::fmt;
use core::str::FromStr;
use std::collections::HashMap;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

/// The address of a node: `http` or `https`, a name or an IP address, and a port.
///
/// A name is resolved for each new connection, so it may change its addresses at any time.
///
/// ```
/// use eio_cluster::forward::Address;
///
/// let address: Address = "http://10.0.0.7:3000".parse()?;
/// // The same, because `http` is the default.
/// assert_eq!(address, "10.0.0.7:3000".parse()?);
/// # Ok::<(), eio_cluster::forward::InvalidAddress>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    is_tls: bool,
    authority: Authority,
}

/// A text is not the address of a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address {text:?}: {why}: expected http://host:port or https://host:port")]
pub struct InvalidAddress {
    text: String,
    why: &'static str,
}

impl Address {
    /// Returns whether the node is spoken to over TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Returns the name or the IP address, without the brackets of IPv6.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = self.authority.host();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// Returns the port. Without one in the text, it is that of the scheme: 80 or 443.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.is_tls { 443 } else { 80 })
    }

    /// Returns the address that such a URI is at.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        Some(Self { is_tls: uri.scheme() == Some(&Scheme::HTTPS), authority: uri.authority()?.clone() })
    }

    /// Returns the URI of this path and query at the node.
    pub(super) fn uri(&self, path: PathAndQuery) -> Option<Uri> {
        let scheme = if self.is_tls { Scheme::HTTPS } else { Scheme::HTTP };
        Uri::builder().scheme(scheme).authority(self.authority.clone()).path_and_query(path).build().ok()
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = |why| InvalidAddress { text: text.to_owned(), why };
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let is_tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(invalid("another scheme")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err(invalid("a user"));
        }
        let authority: Authority =
            rest.parse().map_err(|_| invalid("no host, or more than a host and a port"))?;
        if authority.host().is_empty() {
            return Err(invalid("no host"));
        }
        if authority.port_u16().is_none() && authority.as_str() != authority.host() {
            return Err(invalid("no valid port"));
        }
        Ok(Self { is_tls, authority })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.is_tls { "https" } else { "http" }, self.authority)
    }
}

/// Knows where the nodes are. A closure is a directory, too.
///
/// It is asked for each request to another node, so it must answer at once. A node that it does not know counts as gone: the
/// client is told so at once, and opens a new session.
pub trait Directory: Send + Sync + 'static {
    /// Returns the address of the node with this name. Clients choose the name that they ask for: it has the form of a node's
    /// name, and nothing more is known about it.
    fn address(&self, node: &str) -> Option<Address>;
}

impl<F: Fn(&str) -> Option<Address> + Send + Sync + 'static> Directory for F {
    fn address(&self, node: &str) -> Option<Address> {
        self(node)
    }
}

/// A fixed list of nodes.
///
/// ```
/// use eio_cluster::forward::{AddressList, Directory};
///
/// let list = AddressList::new([("a7", "10.0.0.7:3000"), ("b2", "https://b2.example.org")])?;
/// assert_eq!(list.address("b2").map(|address| address.port()), Some(443));
/// assert_eq!(list.address("c3"), None);
/// # Ok::<(), eio_cluster::forward::InvalidAddress>(())
/// ```
#[derive(Clone, Debug)]
pub struct AddressList(HashMap<String, Address>);

impl AddressList {
    /// Makes a list of the names of nodes and their addresses.
    ///
    /// # Errors
    /// Returns an [`InvalidAddress`] with the first text that is none.
    pub fn new<N: Into<String>, A: AsRef<str>>(
        nodes: impl IntoIterator<Item = (N, A)>,
    ) -> Result<Self, InvalidAddress> {
        let parsed = nodes.into_iter().map(|(node, address)| Ok((node.into(), address.as_ref().parse()?)));
        parsed.collect::<Result<_, _>>().map(Self)
    }
}

impl Directory for AddressList {
    fn address(&self, node: &str) -> Option<Address> {
        self.0.get(node).cloned()
    }
}

/// The nodes by their names in DNS: `{node}` stands for the name of a node.
///
/// DNS does not tell upper case from lower case, so give nodes names without upper case.
///
/// Clients choose the name that they ask for, so they can make this node look names up. At most 64 names of nodes that were not
/// reached before are looked up at once, and others wait, at most for the
/// [connect timeout](crate::forward::ForwarderBuilder::connect_timeout). A closure that knows the names of all nodes keeps others
/// from DNS.
///
/// ```
/// use eio_cluster::forward::{AddressPattern, Directory};
///
/// // The pods of a StatefulSet are called after their number: name their nodes "0" to "9".
/// let pattern = AddressPattern::new("http://chat-{node}.chat.default.svc.cluster.local:3000")?;
/// assert_eq!(pattern.address("2").unwrap().host(), "chat-2.chat.default.svc.cluster.local");
/// # Ok::<(), eio_cluster::forward::InvalidAddress>(())
/// ```
#[derive(Clone, Debug)]
pub struct AddressPattern(String);

/// What a pattern has in place of a node's name.
const PLACE: &str = "{node}";

impl AddressPattern {
    /// Takes a pattern.
    ///
    /// # Errors
    /// Returns an [`InvalidAddress`] if the pattern has no `{node}`, or is no address with the name of a node in its place.
    pub fn new(pattern: &str) -> Result<Self, InvalidAddress> {
        if !pattern.contains(PLACE) {
            return Err(InvalidAddress { text: pattern.to_owned(), why: "no {node}" });
        }
        let pattern = Self(pattern.to_owned());
        pattern.0.replace(PLACE, "a7").parse::<Address>().map(|_| pattern)
    }
}

impl Directory for AddressPattern {
    fn address(&self, node: &str) -> Option<Address> {
        self.0.replace(PLACE, node).parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_a_host_and_a_port() {
        for (text, shown, host, port) in [
            ("10.0.0.7:3000", "http://10.0.0.7:3000", "10.0.0.7", 3000),
            ("http://b2/", "http://b2", "b2", 80),
            ("https://b2.example.org", "https://b2.example.org", "b2.example.org", 443),
            ("[2001:db8::7]:3000", "http://[2001:db8::7]:3000", "2001:db8::7", 3000),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.to_string().as_str(), address.host(), address.port()), (shown, host, port));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (text, why) in [
            ("ftp://a", "another scheme"),
            ("http://me@a:1", "a user"),
            ("http://a/b", "no host, or more than a host and a port"),
            ("http://", "no host, or more than a host and a port"),
            ("http://:80", "no host"),
            ("http://a:99999", "no valid port"),
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert_eq!(error.why, why, "{text}");
            assert!(error.to_string().contains(&format!("{text:?}")));
        }
        assert_eq!(AddressPattern::new("http://a:80").unwrap_err().why, "no {node}");
        assert!(AddressPattern::new("ftp://{node}").is_err());
    }
}
