//! Finds the client of a request that came through proxies.

use core::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};

use crate::web::network::{InvalidNetwork, Network};

/// Decides which proxies the server trusts to name the client of a request.
///
/// The sender of a request is the other end of its connection. If that is a trusted proxy, the sender is the address
/// that the proxy names. If that address is a trusted proxy too, the sender is the address that this proxy names, and
/// so on: the sender is the first address from the right that is not trusted. No trusted proxy wrote the entries to the
/// left of it, so they are ignored.
///
/// The server reads only one header, so choose the one that your proxies write. A proxy that writes one of the two
/// headers passes the other on unchanged, and a client can forge it.
///
/// ```
/// use eio_tokio::{Forwarding, TrustedProxies};
///
/// let proxies = TrustedProxies::new(Forwarding::XForwardedFor, ["10.0.0.0/8", "::1"])?;
/// # Ok::<(), eio_tokio::InvalidNetwork>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies {
    forwarding: Forwarding,
    networks: Vec<Network>,
    without_address: bool,
}

/// The header in which proxies name the client that they speak for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Forwarding {
    /// `X-Forwarded-For: 192.0.2.60, 10.0.0.7`, which nearly all proxies write.
    XForwardedFor,
    /// `Forwarded: for=192.0.2.60, for="[2001:db8::17]:4711"` (RFC 7239).
    Forwarded,
}

impl TrustedProxies {
    /// Trusts this header in requests from proxies with these addresses or from these networks.
    ///
    /// # Errors
    /// Returns an [`InvalidNetwork`] with the first entry that is neither an address nor a network.
    pub fn new<I>(forwarding: Forwarding, networks: I) -> Result<Self, InvalidNetwork>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let networks =
            networks.into_iter().map(|network| network.as_ref().parse()).collect::<Result<_, _>>()?;
        Ok(Self::from_networks(forwarding, networks))
    }

    /// Trusts this header in requests from proxies in these networks.
    pub(crate) fn from_networks(forwarding: Forwarding, networks: Vec<Network>) -> Self {
        Self { forwarding, networks, without_address: false }
    }

    /// Also trusts senders without an address: everybody who may connect to the Unix socket that the server
    /// [serves](crate::Server::serve). If the server is mounted in another one, these are all requests without a
    /// [`PeerAddr`](crate::PeerAddr), wherever they come from. Default: no.
    ///
    /// ```
    /// use eio_tokio::{Forwarding, TrustedProxies};
    ///
    /// // nginx on this machine, over a Unix socket and nothing else.
    /// let no_address: [&str; 0] = [];
    /// let proxies = TrustedProxies::new(Forwarding::XForwardedFor, no_address)?.and_without_address();
    /// # Ok::<(), eio_tokio::InvalidNetwork>(())
    /// ```
    #[must_use]
    pub fn and_without_address(mut self) -> Self {
        self.without_address = true;
        self
    }

    pub(crate) fn trust(&self, sender: Option<SocketAddr>) -> bool {
        match sender {
            Some(address) => self.networks.iter().any(|network| network.contains(address.ip())),
            None => self.without_address,
        }
    }

    /// Returns the sender of a request on a connection from `peer`. Its port is 0 if the proxy did not name one.
    pub(crate) fn sender(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<SocketAddr> {
        let mut sender = peer;
        if !self.trust(sender) {
            return sender;
        }
        let hops = match self.forwarding {
            Forwarding::XForwardedFor => x_forwarded_for(headers),
            Forwarding::Forwarded => forwarded(headers),
        };
        for hop in hops.into_iter().rev() {
            // A proxy may hide its client. Then the proxy itself is the last known sender.
            let Some(hop) = hop else { break };
            sender = Some(hop);
            if !self.trust(sender) {
                break;
            }
        }
        sender
    }
}

/// Returns the hops of `X-Forwarded-For`, the nearest one last. An entry that is not an address becomes `None`.
fn x_forwarded_for(headers: &HeaderMap) -> Vec<Option<SocketAddr>> {
    let name = HeaderName::from_static("x-forwarded-for");
    let values = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
    values.flat_map(|value| value.split(',')).map(|hop| parse_node(hop.trim())).collect()
}

/// Returns the hops of `Forwarded`, the nearest one last. An entry that is not an address becomes `None`.
fn forwarded(headers: &HeaderMap) -> Vec<Option<SocketAddr>> {
    let values = headers.get_all(header::FORWARDED).iter().map(|value| value.to_str().unwrap_or_default());
    values.flat_map(elements).map(forwarded_for).collect()
}

/// Returns the `for` of one element such as `for="[2001:db8::17]:4711";proto=https`.
fn forwarded_for(element: &str) -> Option<SocketAddr> {
    split_unquoted(element, ';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim();
        let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        name.trim().eq_ignore_ascii_case("for").then(|| parse_node(unquoted))
    })?
}

/// Parses an address: `192.0.2.60`, `192.0.2.60:4711`, `2001:db8::17`, `[2001:db8::17]` or `[2001:db8::17]:4711`.
fn parse_node(node: &str) -> Option<SocketAddr> {
    let bare = node.strip_prefix('[').and_then(|node| node.strip_suffix(']')).unwrap_or(node);
    let address = bare.parse().map(|address: IpAddr| SocketAddr::new(address, 0));
    let address = address.or_else(|_| node.parse::<SocketAddr>()).ok()?;
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

/// Splits a line of `Forwarded` into its elements. If a client has sent the beginning of the line and left a quotation mark
/// open, what its proxy has appended behind a comma is an element all the same.
fn elements(line: &str) -> Vec<&str> {
    let mut quotes = Quotes::default();
    for character in line.chars() {
        quotes.pass(character);
    }
    if quotes.are_open { line.split(',').collect() } else { split_unquoted(line, ',').collect() }
}

/// Splits at every `separator` outside of quotes (RFC 9110 section 5.6.4).
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quotes = Quotes::default();
    text.split(move |character| quotes.pass(character) && character == separator)
}

#[derive(Default)]
struct Quotes {
    are_open: bool,
    is_escaped: bool,
}

impl Quotes {
    /// Takes the next character. Returns whether it stands outside of quotes.
    fn pass(&mut self, character: char) -> bool {
        match character {
            _ if self.is_escaped => self.is_escaped = false,
            '\\' if self.are_open => self.is_escaped = true,
            '"' => self.are_open = !self.are_open,
            _ => return !self.are_open,
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "10.0.0.7:40000";

    fn sender(forwarding: Forwarding, peer: &str, values: &[&str]) -> String {
        let proxies = TrustedProxies::new(forwarding, ["10.0.0.0/8", "2001:db8:1::/48", "::1"]).unwrap();
        let mut headers = HeaderMap::new();
        for value in values {
            let name = match forwarding {
                Forwarding::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
                Forwarding::Forwarded => header::FORWARDED,
            };
            headers.append(name, value.parse().unwrap());
        }
        let sender = proxies.sender(peer.parse().ok(), &headers);
        assert_eq!(proxies.clone().and_without_address().sender(peer.parse().ok(), &headers), sender);
        sender.unwrap().to_string()
    }

    #[test]
    fn a_sender_without_an_address_is_believed_when_told_so() {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("x-forwarded-for"), "6.6.6.6, 192.0.2.1".parse().unwrap());
        let proxies = TrustedProxies::new(Forwarding::XForwardedFor, ["10.0.0.0/8"]).unwrap();
        assert_eq!(proxies.sender(None, &headers), None);
        let proxies = proxies.and_without_address();
        assert_eq!(proxies.sender(None, &headers), "192.0.2.1:0".parse().ok());
        assert_eq!(proxies.sender(None, &HeaderMap::new()), None);
    }

    #[test]
    fn an_untrusted_peer_speaks_for_itself() {
        let claim = ["192.0.2.1"];
        assert_eq!(sender(Forwarding::XForwardedFor, "198.51.100.9:1", &claim), "198.51.100.9:1");
    }

    #[test]
    fn the_first_untrusted_hop_from_the_right_is_the_sender() {
        for (values, expected) in [
            (&["192.0.2.1"][..], "192.0.2.1:0"),
            (&["192.0.2.1:4711"], "192.0.2.1:4711"),
            (&["6.6.6.6, 192.0.2.1, 10.1.2.3"], "192.0.2.1:0"),
            (&["6.6.6.6", "192.0.2.1", "10.1.2.3"], "192.0.2.1:0"),
            (&["2001:db8::17"], "[2001:db8::17]:0"),
            (&["[2001:db8::17]:99, 2001:db8:1::5"], "[2001:db8::17]:99"),
            (&["::ffff:192.0.2.1"], "192.0.2.1:0"),
            (&["10.1.1.1, 10.2.2.2"], "10.1.1.1:0"),
            (&[], PEER),
            (&["192.0.2.1, unknown"], PEER),
            (&["192.0.2.1, "], PEER),
            (&["192.0.2.1, unknown, 10.9.9.9"], "10.9.9.9:0"),
        ] {
            assert_eq!(sender(Forwarding::XForwardedFor, PEER, values), expected, "{values:?}");
        }
    }

    #[test]
    fn forwarded_is_read_with_its_quotes() {
        for (values, expected) in [
            (&["for=192.0.2.60;proto=http;by=203.0.113.43"][..], "192.0.2.60:0"),
            (&["proto=https;For=\"[2001:db8:cafe::17]:4711\""], "[2001:db8:cafe::17]:4711"),
            (&["for=6.6.6.6, for=192.0.2.43", "for=10.3.3.3"], "192.0.2.43:0"),
            (&["for=192.0.2.43, for=_hidden"], PEER),
            (&["for=\"a, for=192.0.2.43\""], PEER),
            (&["for=\"\\\"\", for=192.0.2.43"], "192.0.2.43:0"),
            (&["for=\"x, for=192.0.2.43"], "192.0.2.43:0"),
            (&["for=\"x\\, for=\"192.0.2.43:80\";proto=http"], "192.0.2.43:80"),
            (&["host=example.org"], PEER),
        ] {
            assert_eq!(sender(Forwarding::Forwarded, PEER, values), expected, "{values:?}");
        }
    }

    #[test]
    fn a_mapped_peer_is_the_address_it_maps() {
        assert_eq!(sender(Forwarding::XForwardedFor, "[::ffff:10.0.0.7]:1", &["192.0.2.1"]), "192.0.2.1:0");
    }
}
