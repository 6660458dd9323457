//! A recording as it lies on disk: the format `eio-transcript/1`, read.

use eio_core::packet::Base64;
use serde_json::Value;

/// Microseconds since the scenario's start, on the one clock of a recording.
pub(crate) type Micros = u64;

/// One recording.
#[derive(Clone, Debug)]
pub(crate) struct Transcript {
    pub(crate) generation: String,
    /// The server and its version, or a script.
    pub(crate) server: String,
    /// The client and its version, or a script.
    pub(crate) client: String,
    pub(crate) options: Value,
    pub(crate) events: Vec<Event>,
}

/// Something that was recorded.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: Micros,
    pub(crate) who: Who,
    pub(crate) kind: Kind,
}

/// Who did it; for what travels, who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Client,
    Server,
    Observer,
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Request {
        id: u64,
        method: String,
        url: String,
        content_type: String,
        body: Body,
    },
    Response {
        id: u64,
        status: u64,
        content_type: String,
        body: Body,
    },
    /// The request's connection was reset or given up.
    RequestFailed {
        id: u64,
    },
    Connect {
        conn: u64,
        url: String,
    },
    Opened {
        conn: u64,
    },
    Rejected {
        conn: u64,
    },
    Frame {
        conn: u64,
        data: Body,
        dropped: bool,
    },
    Closed {
        conn: u64,
    },
    /// An event of the library under test.
    Api {
        event: String,
        args: Value,
    },
    /// What the script said that it did.
    Said(String),
    /// Nothing that a replay needs.
    Other,
}

/// What a request, a response or a frame carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    None,
    Text(String),
    Binary(Vec<u8>),
    /// Too long to be recorded: only its length is known.
    Elided(usize),
}

impl Body {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            Self::Elided(len) => *len,
        }
    }

    /// Its bytes, if they were recorded.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::None => Some(&[]),
            Self::Text(text) => Some(text.as_bytes()),
            Self::Binary(bytes) => Some(bytes),
            Self::Elided(_) => None,
        }
    }
}

impl Transcript {
    /// Reads a recording.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        let root: Value = serde_json::from_str(json).map_err(|error| format!("not JSON: {error}"))?;
        let format = text(&root, "format")?;
        if format != "eio-transcript/1" {
            return Err(format!("format `{format}`: expected `eio-transcript/1`"));
        }
        let events = root["events"].as_array().ok_or("no array `events`")?;
        let mut events: Vec<Event> = events.iter().map(parse_event).collect::<Result<_, _>>()?;
        events.sort_by_key(|event| event.at);
        Ok(Self {
            generation: text(&root, "generation")?,
            server: text(&root, "server")?,
            client: text(&root, "client")?,
            options: root["options"].clone(),
            events,
        })
    }

    /// When the recording ends.
    pub(crate) fn end(&self) -> Micros {
        self.events.last().map_or(0, |event| event.at)
    }

    /// An option of the server, if it is a number.
    pub(crate) fn number(&self, option: &str) -> Option<f64> {
        self.options.get(option).and_then(Value::as_f64)
    }
}

fn text(value: &Value, key: &str) -> Result<String, String> {
    value[key].as_str().map(str::to_owned).ok_or_else(|| format!("no text `{key}`"))
}

fn number(value: &Value, key: &str) -> Result<u64, String> {
    value[key].as_u64().ok_or_else(|| format!("no number `{key}`"))
}

fn parse_event(event: &Value) -> Result<Event, String> {
    let kind = text(event, "kind")?;
    parse_fields(event, &kind).map_err(|error| format!("{error} in an event `{kind}`"))
}

fn parse_fields(event: &Value, kind: &str) -> Result<Event, String> {
    let millis = event["t_ms"].as_f64().filter(|millis| *millis >= 0.0).ok_or("no time `t_ms`")?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time of a test, not negative"
    )]
    let at = (millis * 1_000.0).round() as Micros;
    let who = match event["who"].as_str() {
        Some("client") => Who::Client,
        Some("server") => Who::Server,
        Some("observer") => Who::Observer,
        other => return Err(format!("who is {other:?}?")),
    };
    let kind = match kind {
        "http_request" => Kind::Request {
            id: number(event, "id")?,
            method: text(event, "method")?,
            url: text(event, "url")?,
            content_type: content_type(event),
            body: parse_body(&event["body"])?,
        },
        "http_response" => Kind::Response {
            id: number(event, "id")?,
            status: number(event, "status")?,
            content_type: content_type(event),
            body: parse_body(&event["body"])?,
        },
        "http_error" | "http_abort" => Kind::RequestFailed { id: number(event, "id")? },
        "ws_connect" => Kind::Connect { conn: number(event, "conn")?, url: text(event, "url")? },
        "ws_open" => Kind::Opened { conn: number(event, "conn")? },
        "ws_rejected" => Kind::Rejected { conn: number(event, "conn")? },
        "ws_frame" => Kind::Frame {
            conn: number(event, "conn")?,
            data: parse_body(&event["data"])?,
            dropped: event["dropped"].as_bool().unwrap_or_default(),
        },
        "ws_close" => Kind::Closed { conn: number(event, "conn")? },
        "api" => Kind::Api { event: text(event, "event")?, args: event["args"].clone() },
        "action" | "note" => Kind::Said(text(event, "text")?),
        "ws_error" => Kind::Other,
        other => return Err(format!("unknown kind `{other}`")),
    };
    Ok(Event { at, who, kind })
}

fn content_type(event: &Value) -> String {
    event["headers"]["content-type"].as_str().unwrap_or_default().to_owned()
}

fn parse_body(body: &Value) -> Result<Body, String> {
    if body.is_null() {
        Ok(Body::None)
    } else if let Some(text) = body["text"].as_str() {
        Ok(Body::Text(text.to_owned()))
    } else if let Some(text) = body["base64"].as_str() {
        let base64 = Base64::new(text).map_err(|error| format!("{text}: {error}"))?;
        let mut bytes = vec![0; base64.decoded_len()];
        base64.decode(&mut bytes).map_err(|error| error.to_string())?;
        Ok(Body::Binary(bytes))
    } else if let Some(len) = body["elided_bytes"].as_u64() {
        Ok(Body::Elided(usize::try_from(len).unwrap_or(usize::MAX)))
    } else {
        Err(format!("no text, base64 or elided_bytes in {body}"))
    }
}
