//! What a client needs to recover its socket after a reconnect.

use bytestring::ByteString;
use serde_json::{Map, Value};

use crate::args::RawArgs;

/// The longest offset that is remembered. Those of known servers are at most 30 bytes long.
const MAX_OFFSET_LEN: usize = 128;

/// What the server has told for the recovery of a socket (`connectionStateRecovery` in Node).
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// The private id, if the server offers recovery.
    pid: Option<ByteString>,
    /// The position of the last event that arrived.
    offset: Option<ByteString>,
}

impl Recovery {
    /// Takes the private id of the server's answer. Returns whether it is that of the socket before, so that the server
    /// has recovered it.
    pub(super) fn connected(&mut self, pid: Option<ByteString>) -> bool {
        let recovered = pid.is_some() && self.pid == pid;
        if !recovered {
            // Positions are those of one socket.
            *self = Self { pid, offset: None };
        }
        recovered
    }

    /// Notes the position of an event, which is its last argument. An event that asks for an answer has none.
    pub(super) fn note(&mut self, args: &RawArgs) {
        if self.pid.is_some()
            && let Some(offset) = last_string(args)
        {
            self.offset = Some(offset);
        }
    }

    /// Adds to the credentials what makes the server recover the socket. Keys of the application have precedence, as in
    /// the reference.
    pub(super) fn add_to(&self, credentials: &mut Map<String, Value>) {
        for (key, value) in [("pid", &self.pid), ("offset", &self.offset)] {
            if let (Some(value), true) = (value, self.pid.is_some()) {
                credentials.entry(key).or_insert_with(|| Value::from(&**value));
            }
        }
    }
}

/// Returns the last argument if it is a string that may be a position: letters, digits, and few signs. A text of the
/// application is then rarely mistaken for one.
fn last_string(args: &RawArgs) -> Option<ByteString> {
    let offset = args.last_string()?;
    let is_position = (1..=MAX_OFFSET_LEN).contains(&offset.len())
        && offset.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte));
    is_position.then(|| offset.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::args::Args;

    fn sent(recovery: &Recovery) -> Value {
        let mut credentials = Map::from_iter([("token".to_owned(), json!("t"))]);
        recovery.add_to(&mut credentials);
        Value::Object(credentials)
    }

    fn note<T: serde::Serialize>(recovery: &mut Recovery, args: T) {
        recovery.note(&RawArgs::new(Args(args)).unwrap());
    }

    #[test]
    fn the_private_id_and_the_last_position_go_along_with_the_credentials() {
        let mut recovery = Recovery::default();
        note(&mut recovery, ("Q8cPi-T",));
        assert!(!recovery.connected(Some("p1".into())));
        assert_eq!(
            sent(&recovery),
            json!({ "token": "t", "pid": "p1" }),
            "no position before the private id"
        );
        note(&mut recovery, ("x", "Q8cPi-T"));
        note(&mut recovery, ("x", 7));
        note(&mut recovery, [(); 0]);
        note(&mut recovery, ("a text of the application",));
        assert_eq!(sent(&recovery), json!({ "token": "t", "pid": "p1", "offset": "Q8cPi-T" }));
        assert!(recovery.connected(Some("p1".into())), "recovered");
        assert_eq!(sent(&recovery)["offset"], "Q8cPi-T", "still the last position");
        assert!(!recovery.connected(Some("p2".into())), "another socket");
        assert_eq!(sent(&recovery), json!({ "token": "t", "pid": "p2" }));
        assert!(!recovery.connected(None));
        assert_eq!(sent(&recovery), json!({ "token": "t" }));
    }

    #[test]
    fn only_a_whole_string_at_the_end_is_a_position() {
        for (args, position) in [
            (json!(["a", "Q8cPi-V.0"]), Some("Q8cPi-V.0")),
            (json!(["1526919030474-55"]), Some("1526919030474-55")),
            (json!([{ "a": "b" }]), None),
            (json!([["a", "b"]]), None),
            (json!(["a\",\"b"]), None),
            (json!(["a\\"]), None),
            (json!([""]), None),
            (json!([]), None),
        ] {
            let text = RawArgs::new(Args(&args)).unwrap();
            let values = RawArgs::from_values(text.values().unwrap());
            for form in [text, values] {
                assert_eq!(last_string(&form).as_deref(), position, "{form:?}");
            }
        }
        let long = "x".repeat(MAX_OFFSET_LEN + 1);
        assert_eq!(last_string(&RawArgs::new(&long).unwrap()), None);
    }

    #[test]
    fn the_application_may_override_what_is_recovered() {
        let mut recovery = Recovery::default();
        recovery.connected(Some("p1".into()));
        let mut credentials = Map::from_iter([("pid".to_owned(), json!("mine"))]);
        recovery.add_to(&mut credentials);
        assert_eq!(Value::Object(credentials), json!({ "pid": "mine" }));
    }
}
