//! Texts in a configuration file that must have a form.

use core::fmt;
use core::marker::PhantomData;

use eio_core::Liveness;
use eio_core::handshake::Transport;
use http::{HeaderName, HeaderValue, Method};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::server::builder::build;
use crate::web::cookie::SameSite;
use crate::web::network::Network;
use crate::web::origins::OriginPattern;
use crate::web::path::with_slash;
use crate::web::proxies::Forwarding;

/// Reads the path of the sessions.
pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let Some(path) = Option::<String>::deserialize(deserializer)?.map(with_slash) else { return Ok(None) };
    build::check_path(&path).map_err(D::Error::custom)?;
    Ok(Some(path))
}

/// Reads the name of the node.
pub(super) fn node<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    name.as_deref().map(build::check_node).transpose().map_err(D::Error::custom)?;
    Ok(name)
}

pub(super) fn liveness<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Liveness>, D::Error> {
    Ok(Option::<Text<Liveness>>::deserialize(deserializer)?.map(|liveness| liveness.0))
}

/// A value that is read from a text.
pub(super) struct Text<T>(pub(super) T);

/// Reads a value from a text.
pub(super) trait FromText: Sized {
    /// What the text must be, for messages.
    const EXPECTED: &'static str;

    /// # Errors
    /// Returns a sentence that says what is wrong, and what was expected.
    fn from_text(text: &str) -> Result<Self, String>;
}

impl<'de, T: FromText> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor(PhantomData)).map(Self)
    }
}

struct TextVisitor<T>(PhantomData<T>);

impl<T: FromText> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text).map_err(E::custom)
    }
}

/// Returns the sentence about a text that has no meaning here.
pub(super) fn unknown<T: FromText>(text: &str) -> String {
    format!("unknown value {text:?}: expected {}", T::EXPECTED)
}

impl FromText for Liveness {
    const EXPECTED: &'static str = "extend-once, pong-only or any-packet";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| unknown::<Self>(text))
    }
}

impl FromText for Transport {
    const EXPECTED: &'static str = "polling or websocket";

    fn from_text(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(transport @ (Self::Polling | Self::WebSocket)) => Ok(transport),
            _ => Err(unknown::<Self>(text)),
        }
    }
}

impl FromText for SameSite {
    const EXPECTED: &'static str = "strict, lax or none";

    fn from_text(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "strict" => Ok(Self::Strict),
            "lax" => Ok(Self::Lax),
            "none" => Ok(Self::None),
            _ => Err(unknown::<Self>(text)),
        }
    }
}

impl FromText for Forwarding {
    const EXPECTED: &'static str = "x-forwarded-for or forwarded";

    fn from_text(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "x-forwarded-for" => Ok(Self::XForwardedFor),
            "forwarded" => Ok(Self::Forwarded),
            _ => Err(unknown::<Self>(text)),
        }
    }
}

impl FromText for OriginPattern {
    const EXPECTED: &'static str = "an origin such as \"https://example.org\"";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error| format!("{error}"))
    }
}

impl FromText for Network {
    const EXPECTED: &'static str = "an IP address or a network such as \"10.0.0.0/8\"";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error| format!("{error}"))
    }
}

impl FromText for Method {
    const EXPECTED: &'static str = "an HTTP method such as \"GET\"";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| unknown::<Self>(text))
    }
}

impl FromText for HeaderName {
    const EXPECTED: &'static str = "the name of a header";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| unknown::<Self>(text))
    }
}

impl FromText for HeaderValue {
    const EXPECTED: &'static str = "the value of a header, without control characters";

    /// The value can be secret, so the message does not repeat it.
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("expected {}", Self::EXPECTED))
    }
}
