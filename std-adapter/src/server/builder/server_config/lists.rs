//! Lists in a configuration file.

use core::fmt;
use core::marker::PhantomData;

use eio_core::handshake::Transport;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use super::texts::{FromText, Text};
use crate::web::origins::{AllowedOrigins, OriginPattern};

/// Reads the transports that may open a session.
pub(super) fn transports<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<Transport>>, D::Error> {
    match Option::<Vec<Text<Transport>>>::deserialize(deserializer)? {
        Some(names) if names.is_empty() => {
            Err(D::Error::custom("the list is empty: expected polling, websocket or both"))
        }
        names => Ok(names.map(values)),
    }
}

/// Reads the pages that may open sessions.
pub(super) fn allowed_origins<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<AllowedOrigins>, D::Error> {
    let Some(OneOrMany::<AllowedOrigin>(entries)) = Deserialize::deserialize(deserializer)? else {
        return Ok(None);
    };
    let mut patterns = Vec::new();
    for entry in entries {
        match entry {
            AllowedOrigin::Any => return Ok(Some(AllowedOrigins::Any)),
            // It is allowed anyway.
            AllowedOrigin::Own => {}
            AllowedOrigin::Matching(pattern) => patterns.push(pattern),
        }
    }
    Ok(Some(if patterns.is_empty() { AllowedOrigins::SameOrigin } else { AllowedOrigins::List(patterns) }))
}

enum AllowedOrigin {
    Any,
    Own,
    Matching(OriginPattern),
}

impl FromText for AllowedOrigin {
    const EXPECTED: &'static str = "an origin such as \"https://example.org\", \"same-origin\", or \"*\"";

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "*" => Ok(Self::Any),
            "same-origin" => Ok(Self::Own),
            _ => OriginPattern::from_text(text).map(Self::Matching),
        }
    }
}

/// Returns the values of a list of texts.
pub(super) fn values<T>(texts: Vec<Text<T>>) -> Vec<T> {
    texts.into_iter().map(|text| text.0).collect()
}

/// A text, or a list of texts.
pub(super) struct OneOrMany<T>(pub(super) Vec<T>);

impl<'de, T: FromText> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor::new())
    }
}

pub(super) struct OneOrManyVisitor<T>(PhantomData<T>);

impl<T> OneOrManyVisitor<T> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: FromText> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, or a list", T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMany<T>, E> {
        T::from_text(text).map(|one| OneOrMany(vec![one])).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany<T>, A::Error> {
        let mut many = Vec::new();
        while let Some(Text(value)) = list.next_element()? {
            many.push(value);
        }
        Ok(OneOrMany(many))
    }
}
