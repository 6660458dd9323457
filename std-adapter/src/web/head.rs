//! The head of a session's opening request, kept while the application may still ask for it.
//!
//! The HTTP server passes a head as slices of its read buffer, so one kept header would keep 8 KiB alive. A map of
//! headers also needs memory for quick access, which hardly any session uses. So the head is packed into one small
//! allocation, and unpacked only when the application asks for it.

mod fields;

use core::net::SocketAddr;
use std::sync::OnceLock;

use http::request::Parts;
use http::uri::{self, Authority, PathAndQuery, Scheme};
use http::{Extensions, HeaderMap, Method, Request, Uri, Version};

use self::fields::{Packer, Unpacker};
use crate::web::peer_addr;
use crate::wire::targets;

/// How many bytes most packed heads fit into.
const USUAL: usize = 1024;

/// A packed head, and the unpacked one once the application has asked for it. The method is GET, with which every session
/// opens.
pub(crate) struct Head {
    /// The version, the scheme, the authority, the path with the query, and then the headers.
    packed: Box<[u8]>,
    extensions: Extensions,
    unpacked: OnceLock<Box<Parts>>,
}

impl Head {
    /// Packs a head. Drops its extensions of the peer's address, which the session stores elsewhere.
    pub(crate) fn new(mut parts: Parts) -> Self {
        let mut packer = Packer::with_capacity(USUAL);
        packer.put_number(VERSIONS.iter().position(|version| *version == parts.version).unwrap_or_default());
        let uri = &parts.uri;
        packer.put(uri.scheme_str().unwrap_or_default().as_bytes());
        packer.put(uri.authority().map_or("", Authority::as_str).as_bytes());
        packer.put(uri.path_and_query().map_or("", PathAndQuery::as_str).as_bytes());
        for (name, value) in &parts.headers {
            packer.put_header(name, value);
        }
        peer_addr::take(&mut parts.extensions);
        if parts.extensions.is_empty() {
            // An empty map of extensions may still own memory.
            parts.extensions = Extensions::new();
        }
        Self { packed: packer.finish(), extensions: parts.extensions, unpacked: OnceLock::new() }
    }

    pub(crate) fn get(&self, peer: Option<SocketAddr>) -> &Parts {
        self.unpacked.get_or_init(|| Box::new(self.unpack(peer, self.extensions.clone())))
    }

    pub(crate) fn into_parts(mut self, peer: Option<SocketAddr>) -> Parts {
        if let Some(parts) = self.unpacked.take() {
            return *parts;
        }
        let extensions = core::mem::take(&mut self.extensions);
        self.unpack(peer, extensions)
    }

    /// Takes an extension out, before the application has seen the head.
    #[cfg(feature = "axum")]
    pub(crate) fn take_extension<T: Clone + Send + Sync + 'static>(&mut self) -> Option<T> {
        let taken = self.extensions.remove();
        if self.extensions.is_empty() {
            self.extensions = Extensions::new();
        }
        taken
    }

    fn unpack(&self, peer: Option<SocketAddr>, mut extensions: Extensions) -> Parts {
        if let Some(peer) = peer {
            peer_addr::put(&mut extensions, peer);
        }
        let mut packed = Unpacker::new(&self.packed);
        let version = VERSIONS.get(packed.take_number()).copied().unwrap_or_default();
        let uri = target(&mut packed).unwrap_or_else(|error| {
            tracing::error!(
                target: targets::REQUEST,
                %error,
                "a request's target cannot be unpacked: / stands in its place"
            );
            Uri::default()
        });
        let mut headers = HeaderMap::new();
        while !packed.is_empty() {
            // Cannot fail: they were a valid name and a valid value before.
            if let Some((name, value)) = packed.take_header() {
                headers.append(name, value);
            }
        }
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = Method::GET;
        parts.uri = uri;
        parts.version = version;
        parts.headers = headers;
        parts.extensions = extensions;
        parts
    }
}

/// Builds the target from its parts, because the parser of whole targets refuses some lengths that the parts may have
/// together.
fn target(packed: &mut Unpacker<'_>) -> Result<Uri, http::Error> {
    let mut parts = uri::Parts::default();
    let mut part = || Some(packed.take()).filter(|part| !part.is_empty());
    parts.scheme = part().map(Scheme::try_from).transpose()?;
    parts.authority = part().map(Authority::try_from).transpose()?;
    parts.path_and_query = part().map(PathAndQuery::try_from).transpose()?;
    Ok(Uri::from_parts(parts)?)
}

/// The versions of HTTP. A packed head has the place of its version here.
const VERSIONS: [Version; 5] =
    [Version::HTTP_11, Version::HTTP_10, Version::HTTP_2, Version::HTTP_09, Version::HTTP_3];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::web::peer_addr::PeerAddr;

    fn parts() -> Parts {
        let mut request = Request::builder()
            .method("GET")
            .uri("https://example.org/engine.io/?EIO=4&transport=websocket")
            .version(Version::HTTP_2)
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("x-empty", "")
            .header("x-latin", HeaderValue::from_bytes(b"caf\xe9").unwrap())
            .extension("something of a middleware")
            .body(())
            .unwrap();
        let mut secret = HeaderValue::from_static("secret");
        secret.set_sensitive(true);
        request.headers_mut().insert("authorization", secret);
        request.into_parts().0
    }

    fn assert_same(unpacked: &Parts) {
        let parts = parts();
        assert_eq!(unpacked.method, parts.method);
        assert_eq!(unpacked.uri, parts.uri);
        assert_eq!(unpacked.version, parts.version);
        assert_eq!(unpacked.headers, parts.headers);
        assert!(unpacked.headers["authorization"].is_sensitive());
        assert!(!unpacked.headers["cookie"].is_sensitive());
        assert_eq!(unpacked.extensions.get(), Some(&"something of a middleware"));
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        let head = Head::new(parts());
        assert_same(head.get(None));
        assert_same(head.get(None));
        assert_same(&head.into_parts(None));
        assert_same(&Head::new(parts()).into_parts(None));
    }

    #[test]
    fn every_form_of_a_target_comes_out_as_it_was() {
        // As one text, it is longer than the parser of targets accepts.
        let longest = uri::Builder::new()
            .scheme("https")
            .authority("example.org")
            .path_and_query(format!("/?{}", "x".repeat(65_520)));
        let forms = ["/", "/engine.io/?EIO=4", "*", "example.org:443", "http://[::1]:3000/a?b"];
        for uri in forms.map(|form| form.parse().unwrap()).into_iter().chain([longest.build().unwrap()]) {
            let mut parts = parts();
            parts.uri = uri;
            let uri = parts.uri.clone();
            assert_eq!(Head::new(parts).get(None).uri, uri);
        }
    }

    #[test]
    fn the_peers_address_is_put_where_it_was() {
        let peer = "192.0.2.1:1234".parse().unwrap();
        let mut parts = parts();
        parts.extensions.insert(PeerAddr(peer));
        let head = Head::new(parts);
        assert_eq!(head.extensions.get::<PeerAddr>(), None);
        assert_eq!(head.get(Some(peer)).extensions.get(), Some(&PeerAddr(peer)));
        assert_eq!(head.into_parts(Some(peer)).extensions.get(), Some(&PeerAddr(peer)));
    }
}
