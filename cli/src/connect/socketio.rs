//! The part of Socket.IO that a client needs to stay connected to its servers.

use eio_core::Revision;
use eio_core::socketio::{Body, Event as SocketIoEvent, Packet, member};
use eio_tokio::Message;
use serde_json::Value;

use super::end::End;
use super::event::Event;
use crate::preview::Preview;
use crate::style::cut;

/// The namespace that this client joins.
#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    revision: Revision,
    name: String,
    /// The name in the packet that joins. In Socket.IO 1 and 2, a query can follow there, which takes the place of `auth`.
    with_query: String,
    auth: String,
}

impl Namespace {
    pub(crate) fn new(revision: Revision, with_query: &str, auth: &str) -> Self {
        let name = match revision {
            Revision::V4 => with_query,
            Revision::V3 => with_query.split('?').next().unwrap_or_default(),
        };
        Self { revision, name: name.to_owned(), with_query: with_query.to_owned(), auth: auth.to_owned() }
    }

    /// Returns what is wrong with how the credentials are given, if anything is.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.revision == Revision::V4 {
            return Ok(());
        }
        if !self.auth.is_empty() {
            return Err(
                "--auth needs --eio 4: Socket.IO 1 and 2 take credentials in the query of the namespace, as in \
                        --socketio='/admin?token=...', or of the URL",
            );
        }
        if self.name == "/" && self.with_query != self.name {
            return Err(
                "--socketio: in Socket.IO 1 and 2, the namespace / has no query: expected it in the URL",
            );
        }
        Ok(())
    }

    /// Returns the packet that joins the namespace, or `None` for `/` in Socket.IO 1 and 2, which every client is in.
    pub(crate) fn join(&self) -> Option<Message> {
        if self.revision == Revision::V3 && self.name == "/" {
            return None;
        }
        encoded(Packet::connect(&self.auth).ok()?, &self.with_query)
    }

    /// Returns the packet that leaves the namespace.
    pub(crate) fn leave(&self) -> Message {
        encoded(Packet::disconnect(), &self.name).unwrap_or_else(|| "1".into())
    }

    /// Returns the event for a line of input.
    pub(crate) fn event(&self, line: &Message) -> Result<Message, String> {
        const NO_EVENT: &str = "the line begins with a bracket, but is not an event: expected a JSON array such as [\"name\", 1]";
        let Some(line) = line.as_text() else {
            return Err("the line is not UTF-8: expected text".to_owned());
        };
        let (name, arguments) = if line.trim_start().starts_with('[') {
            let Ok(Value::Array(parts)) = serde_json::from_str(line) else { return Err(NO_EVENT.to_owned()) };
            let Some((Value::String(name), arguments)) = parts.split_first() else {
                return Err(NO_EVENT.to_owned());
            };
            let arguments: Vec<String> = arguments.iter().map(Value::to_string).collect();
            (name.clone(), arguments.join(","))
        } else {
            ("message".to_owned(), Value::from(line).to_string())
        };
        let packet = Packet::event(&name, &arguments).map_err(|error| error.to_string())?;
        encoded(packet, &self.name).ok_or_else(|| NO_EVENT.to_owned())
    }

    /// Returns the event for a message from the server, and the end of the session if the message ends it.
    pub(crate) fn read(&self, message: &Message) -> (Event, Option<End>) {
        let Some(text) = message.as_text() else { return (Event::message(message), None) };
        let Ok(packet) = Packet::decode(text) else {
            return (Event::message(message), None);
        };
        if packet.namespace() != self.name {
            return (Event::message(message), None);
        }
        let namespace = self.name.clone();
        match packet.body() {
            Body::Connect(answer) => {
                let sid = string(member(answer, "sid"));
                (Event::Joined { namespace, sid: sid.map(|sid| sid.chars().take(4).collect()) }, None)
            }
            Body::ConnectError(data) => {
                let why = cut(&string(Some(member(data, "message").unwrap_or(data))).unwrap_or_default());
                (
                    Event::NamespaceRefused { namespace: namespace.clone(), why: why.clone() },
                    Some(End::NamespaceRefused { namespace, why }),
                )
            }
            Body::Disconnect => (
                Event::NamespaceDisconnected { namespace: namespace.clone() },
                Some(End::NamespaceDisconnected { namespace }),
            ),
            Body::Event(event) => (socketio_event(text, &packet, &event), None),
            Body::Ack(arguments) => {
                let id = packet.id().unwrap_or_default();
                (Event::Ack { id, arguments: Preview::of_text(&joined(arguments.iter())) }, None)
            }
        }
    }
}

fn encoded(packet: Packet<'_>, namespace: &str) -> Option<Message> {
    let packet = packet.in_namespace(namespace).ok()?;
    let mut out = vec![0; packet.encode(&mut []).map_or_else(|error| error.needed, str::len)];
    packet.encode(&mut out).ok().map(|text| Message::text(text.to_owned()))
}

fn socketio_event(text: &str, packet: &Packet<'_>, event: &SocketIoEvent<'_>) -> Event {
    Event::Emitted {
        name: event.name().map_or_else(|| cut(&decoded_name(text)), cut),
        arguments: Preview::of_text(&joined(event.args().iter())),
        ack: packet.id(),
    }
}

/// Returns the name of an event whose name has escapes in its JSON.
fn decoded_name(text: &str) -> String {
    let array = text.find('[').and_then(|at| text.get(at..)).unwrap_or_default();
    let parts: Vec<Value> = serde_json::from_str(array).unwrap_or_default();
    parts.first().and_then(Value::as_str).unwrap_or("(unreadable name)").to_owned()
}

fn joined<'a>(arguments: impl Iterator<Item = &'a str>) -> String {
    arguments.collect::<Vec<_>>().join(", ")
}

/// Returns the text of a JSON string.
fn string(json: Option<&str>) -> Option<String> {
    serde_json::from_str(json?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat() -> Namespace {
        Namespace::new(Revision::V4, "/chat", r#"{"token":"t"}"#)
    }

    #[test]
    fn joining_names_the_namespace_and_sends_the_credentials() {
        assert_eq!(chat().join(), Some(Message::text(r#"0/chat,{"token":"t"}"#)));
        assert_eq!(Namespace::new(Revision::V4, "/", "").join(), Some(Message::text("0")));
        assert_eq!(Namespace::new(Revision::V3, "/", "").join(), None);
        assert_eq!(chat().leave(), Message::text("1/chat,"));
    }

    #[test]
    fn only_the_packet_that_joins_a_namespace_of_socketio_2_has_its_query() {
        let old = Namespace::new(Revision::V3, "/chat?token=t", "");
        assert_eq!(old.join(), Some(Message::text("0/chat?token=t,")));
        assert_eq!(old.event(&Message::text("hi")), Ok(Message::text(r#"2/chat,["message","hi"]"#)));
        let (event, _) = old.read(&Message::text("0/chat,"));
        assert!(matches!(event, Event::Joined { namespace, sid: None } if namespace == "/chat"));
    }

    #[test]
    fn a_line_is_an_event_called_message_or_the_event_that_it_names() {
        let event = |line: &str| chat().event(&Message::text(line.to_owned()));
        assert_eq!(event("say \"hi\""), Ok(Message::text(r#"2/chat,["message","say \"hi\""]"#)));
        assert_eq!(event(r#"["led",1,{"on":true}]"#), Ok(Message::text(r#"2/chat,["led",1,{"on":true}]"#)));
        for line in ["[", "[]", "[1]", r#"["disconnect"]"#] {
            assert!(event(line).is_err(), "{line}");
        }
        assert!(chat().event(&Message::binary(vec![0xff])).is_err());
    }

    #[test]
    fn packets_from_the_server_are_understood() {
        let read = |text: &str| chat().read(&Message::text(text.to_owned()));
        let (event, end) = read(r#"0/chat,{"sid":"abcdefgh"}"#);
        assert!(matches!(event, Event::Joined { sid: Some(sid), .. } if sid == "abcd") && end.is_none());
        let (_, end) = read(r#"4/chat,{"message":"who are you?"}"#);
        assert!(matches!(end, Some(End::NamespaceRefused { why, .. }) if why == "who are you?"));
        let (_, end) = read("1/chat,");
        assert!(matches!(end, Some(End::NamespaceDisconnected { .. })));
        let (event, _) = read(r#"2/chat,7["\u00e9tat",1,"b"]"#);
        let Event::Emitted { name, ack: Some(7), .. } = event else { panic!("{event:?}") };
        assert_eq!(name, "état");
        // What waits to be printed is no longer than a line.
        let long = "é".repeat(10_000);
        let (event, _) = read(&format!(r#"2/chat,["{long}"]"#));
        assert!(matches!(event, Event::Emitted { name, .. } if name == "é".repeat(200) + "…"));
        let (event, end) = read(&format!(r#"4/chat,"{long}""#));
        assert!(matches!(event, Event::NamespaceRefused { why, .. } if why == "é".repeat(200) + "…"));
        assert!(matches!(end, Some(End::NamespaceRefused { why, .. }) if why == "é".repeat(200) + "…"));
        // Packets of other namespaces, and text that is not a packet, are shown unchanged.
        assert!(matches!(read(r#"2["a"]"#).0, Event::Message { .. }));
        assert!(matches!(read("hello").0, Event::Message { .. }));
    }
}
