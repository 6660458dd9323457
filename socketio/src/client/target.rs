//! The name of a namespace to join.

use bytestring::ByteString;
use form_urlencoded::Serializer;
use serde_json::{Map, Value};

use crate::client::error::JoinError;

/// The longest name that a client joins, its slash and its query included. Servers have shorter ones.
const MAX_LEN: usize = 1024;

/// A namespace to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The name that all packets bear.
    pub(super) name: ByteString,
    /// The query that only the request to join bears.
    query: Option<ByteString>,
}

impl Target {
    /// Reads a name. A leading slash may be missing, as in the reference. Only an old server is sent a query.
    pub(super) fn new(namespace: &str, is_old: bool) -> Result<Self, JoinError> {
        // A query may hold secrets.
        let invalid = || {
            let shown = namespace.split('?').next().unwrap_or_default();
            JoinError::InvalidNamespace(shown.chars().take(MAX_LEN).collect::<String>().into())
        };
        let slash = if namespace.starts_with('/') { "" } else { "/" };
        let is_valid = slash.len() + namespace.len() <= MAX_LEN
            && !namespace.contains(|character: char| character == ',' || character.is_control())
            && (is_old || !namespace.contains('?'));
        if !is_valid {
            return Err(invalid());
        }
        let (name, query) = match namespace.split_once('?') {
            Some((name, query)) => (name, Some(query.into())),
            None => (namespace, None),
        };
        Ok(Self { name: [slash, name].concat().into(), query })
    }

    /// Returns the name in the request to join an old server, which takes credentials as a query.
    pub(super) fn with_query(&self, credentials: &Map<String, Value>) -> ByteString {
        let mut query = Serializer::new(self.query.as_deref().unwrap_or_default().to_owned());
        for (name, value) in credentials {
            match value {
                Value::String(text) => query.append_pair(name, text),
                other => query.append_pair(name, &other.to_string()),
            };
        }
        let query = query.finish();
        if query.is_empty() { self.name.clone() } else { format!("{}?{query}", self.name).into() }
    }

    /// Returns whether an old server joins every client to the namespace unasked.
    pub(super) fn is_root(&self) -> bool {
        self.name == "/"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_gets_the_slash_that_it_lacks() {
        for (written, name) in [("", "/"), ("/", "/"), ("admin", "/admin"), ("/é/ü", "/é/ü")] {
            assert_eq!(Target::new(written, false).unwrap().name, name);
        }
    }

    #[test]
    fn what_no_packet_can_carry_is_refused() {
        for wrong in ["/a,b", "/a\u{1e}", "/a?b=c", &"x".repeat(MAX_LEN)] {
            assert!(matches!(Target::new(wrong, false), Err(JoinError::InvalidNamespace(_))), "{wrong}");
        }
        assert_eq!(Target::new("/a?b=c", true).unwrap().name, "/a");
        let longest = "x".repeat(MAX_LEN - 1);
        assert_eq!(Target::new(&longest, false).unwrap().name.len(), MAX_LEN);
        assert!(Target::new(&format!("/{longest}"), false).is_ok());
    }

    #[test]
    fn an_old_server_gets_credentials_as_a_query() {
        let with = |namespace, credentials: Value| {
            Target::new(namespace, true).unwrap().with_query(credentials.as_object().unwrap())
        };
        assert_eq!(with("/admin", json!({})), "/admin");
        assert_eq!(with("/admin", json!({ "n": 1, "token": "a,b ü&" })), "/admin?n=1&token=a%2Cb+%C3%BC%26");
        assert_eq!(with("/admin?uid=2", json!({ "on": true })), "/admin?uid=2&on=true");
    }
}
