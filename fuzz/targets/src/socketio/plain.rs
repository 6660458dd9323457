//! The other opinion about packets of Socket.IO: a reader that shares nothing with the core's. Its JSON is `serde_json`'s.

use eio_core::socketio::{Body, Packet, PacketError, PacketErrorKind};
use eio_socketio::Packet as Parsed;
use serde::de::IgnoredAny;
use serde_json::Value;

/// A packet.
#[derive(Debug)]
pub(super) struct Plain<'a> {
    kind: char,
    attachments: u32,
    namespace: &'a str,
    id: Option<u64>,
    data: &'a str,
}

/// Compares what was read of a text, or why it was not, with the other opinion. Returns that, if the text is a packet.
pub(super) fn judge<'a>(text: &'a str, verdict: Result<&Packet<'_>, &PacketError>) -> Option<Plain<'a>> {
    let plain = Plain::read(text);
    match (&plain, verdict) {
        (Some(plain), Ok(packet)) => plain.compare(packet),
        // Rules beyond the form of a packet.
        (Some(plain), Err(error)) => assert!(
            match error.kind {
                PacketErrorKind::TooDeep =>
                    plain.data.bytes().filter(|byte| b"[{".contains(byte)).count() > 64,
                PacketErrorKind::InvalidPlaceholder => plain.attachments > 0,
                PacketErrorKind::ReservedName => plain.kind == '2',
                _ => false,
            },
            "{text:?} is a packet: {error:?}"
        ),
        (None, Ok(packet)) => panic!("{text:?} is no packet: {packet:?}"),
        (None, Err(_)) => {}
    }
    plain
}

impl<'a> Plain<'a> {
    /// `<type>[<attachments>-][<namespace>,][<id>][data]`
    fn read(text: &'a str) -> Option<Self> {
        let kind = text.chars().next().filter(|kind| ('0'..='6').contains(kind))?;
        let mut rest = &text[1..];
        let mut attachments = 0;
        if matches!(kind, '5' | '6') {
            let (count, after) = rest.split_once('-')?;
            attachments = number(count)?.try_into().ok().filter(|count| (1..=10).contains(count))?;
            rest = after;
        }
        let mut namespace = "/";
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        let digits = rest.find(|other: char| !other.is_ascii_digit()).unwrap_or(rest.len());
        let (id, data) = rest.split_at(digits);
        let id = if id.is_empty() { None } else { Some(number(id).filter(|id| *id < 1 << 53)?) };
        // The reference gives a binary packet the kind of the other one.
        let kind = match kind {
            '5' => '2',
            '6' => '3',
            kind => kind,
        };
        let is_right = !data.starts_with([' ', '\t', '\r', '\n'])
            && match kind {
                '0' => data.is_empty() || is_object(data),
                '1' => data.is_empty(),
                '2' => is_event(data),
                '3' => list(data).is_some(),
                _ => data.is_empty() || is_object(data) || is_string(data),
            };
        is_right.then_some(Self { kind, attachments, namespace, id, data })
    }

    /// Compares a packet of the default parser with its text.
    pub(super) fn compare_parsed(&self, parsed: &Parsed) {
        assert_eq!(&*parsed.namespace, self.namespace);
        let (kind, id) = match &parsed.body {
            eio_socketio::Body::Connect(_) => ('0', None),
            eio_socketio::Body::Disconnect => ('1', None),
            eio_socketio::Body::Event { id, .. } => ('2', *id),
            eio_socketio::Body::Ack { id, .. } => ('3', Some(*id).filter(|id| *id != u64::MAX)),
            _ => ('4', None),
        };
        assert_eq!(kind, self.kind);
        if matches!(kind, '2' | '3') {
            assert_eq!(id, self.id);
        }
    }

    fn compare(&self, packet: &Packet<'_>) {
        assert_eq!(packet.attachments(), self.attachments);
        assert_eq!(packet.namespace(), self.namespace);
        assert_eq!(packet.id(), self.id);
        // `Value` cannot hold halves of pairs and numbers beyond doubles.
        let theirs = serde_json::from_str::<Value>(self.data).ok();
        let (kind, ours) = match packet.body() {
            Body::Connect(data) => ('0', data.to_owned()),
            Body::Disconnect => ('1', String::new()),
            Body::Event(event) => {
                assert_eq!(Some(event.args().iter().count() + 1), list(self.data));
                if let Some(name) = theirs.as_ref().and_then(|values| values.get(0)?.as_str()) {
                    assert!(event.is(name), "{event:?} is not called {name:?}");
                }
                ('2', format!("[{}]", event.args().as_str()))
            }
            Body::Ack(args) => ('3', format!("[{}]", args.as_str())),
            Body::ConnectError(data) => ('4', data.to_owned()),
        };
        assert_eq!(kind, self.kind);
        assert_eq!(ours.is_empty(), self.data.is_empty());
        let skipped = usize::from(kind == '2');
        if let Some(theirs) = theirs {
            let theirs = match theirs {
                Value::Array(values) => Value::from(values[skipped..].to_vec()),
                other => other,
            };
            assert_eq!(serde_json::from_str::<Value>(&ours).ok(), Some(theirs), "{packet:?}");
        }
    }
}

/// A number of digits only.
fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn is_object(data: &str) -> bool {
    data.starts_with('{') && serde_json::from_str::<IgnoredAny>(data).is_ok()
}

fn is_string(data: &str) -> bool {
    data.starts_with('"') && serde_json::from_str::<IgnoredAny>(data).is_ok()
}

/// How many values there are in a list.
fn list(data: &str) -> Option<usize> {
    Some(serde_json::from_str::<Vec<IgnoredAny>>(data).ok()?.len())
}

/// A list whose first value is a string or a number.
fn is_event(data: &str) -> bool {
    let first = data.strip_prefix('[').map(|rest| rest.trim_start_matches([' ', '\t', '\r', '\n']));
    let is_name = first.is_some_and(|first| {
        first.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
    });
    is_name && list(data).is_some()
}
