//! A recording of a reference server, as the HTTP requests and WebSockets of one raw client.

use std::collections::BTreeMap;

use eio_tests::vectors::from_base64;
use serde_json::Value;

/// Microseconds since the recording began.
pub(crate) type Micros = u64;

/// One recording.
pub(crate) struct Recording {
    /// The version of engine.io.
    pub(crate) engine: (u32, u32, u32),
    pub(crate) options: Value,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) sockets: Vec<Socket>,
    /// When the server's application called `close()`.
    pub(crate) closes: Vec<Micros>,
    /// When a session ended with `forced close`.
    pub(crate) forced: Vec<Micros>,
    /// When the server's event loop was blocked, from and to.
    pub(crate) blocked: Vec<(Micros, Micros)>,
    pub(crate) ends: Micros,
}

/// A request and what came of it.
pub(crate) struct Exchange {
    pub(crate) id: u64,
    pub(crate) at: Micros,
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Body>,
    pub(crate) outcome: Option<(Micros, Outcome)>,
    /// When the client gave it up.
    pub(crate) aborted: Option<Micros>,
}

/// What a server made of a request.
pub(crate) enum Outcome {
    Answer(Answer),
    Reset,
}

/// An HTTP response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// A WebSocket and what became of it.
pub(crate) struct Socket {
    pub(crate) conn: u64,
    pub(crate) at: Micros,
    pub(crate) url: String,
    pub(crate) opening: Option<Opening>,
    pub(crate) sent: Vec<(Micros, Body)>,
    pub(crate) received: Vec<(Micros, Body)>,
    pub(crate) closed: Option<(Micros, Closer, u16)>,
}

/// How a server answered a request for a WebSocket.
pub(crate) enum Opening {
    Opened,
    Rejected(Answer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closer {
    Client,
    Server,
}

/// A body or a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Text(String),
    Binary(Vec<u8>),
    /// Too long to be recorded.
    Elided(usize),
}

impl Body {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Binary(bytes) => bytes.clone(),
            // Some message of that length.
            Self::Elided(len) => (0..*len).map(|at| if at == 0 { b'4' } else { b'x' }).collect(),
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn read(value: &Value) -> Option<Self> {
        let text = value["text"].as_str().map(|text| Self::Text(text.to_owned()));
        let binary = || value["base64"].as_str().map(|text| Self::Binary(from_base64(text)));
        let elided =
            || value["elided_bytes"].as_u64().and_then(|len| usize::try_from(len).ok()).map(Self::Elided);
        text.or_else(binary).or_else(elided)
    }
}

/// The value of a query parameter in a URL.
pub(crate) fn parameter<'u>(url: &'u str, name: &str) -> Option<&'u str> {
    let (_, query) = url.split_once('?')?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The `sid` in an open packet, in a JSONP script too.
pub(crate) fn sid_in(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let (_, rest) = text.split_once("\"sid")?;
    let is_of_sid = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    let sid: String = rest.chars().skip_while(|c| !is_of_sid(*c)).take_while(|c| is_of_sid(*c)).collect();
    (!sid.is_empty()).then_some(sid)
}

impl Recording {
    /// Reads a recording; none if it is not of an Engine.IO server with a raw client.
    pub(crate) fn parse(json: &str) -> Result<Option<Self>, String> {
        let root: Value = serde_json::from_str(json).map_err(|error| format!("not JSON: {error}"))?;
        if root["format"] != "eio-transcript/1" {
            return Err(format!("format {}: expected eio-transcript/1", root["format"]));
        }
        let Some(("engine.io", version)) = root["server"].as_str().and_then(|server| server.split_once(' '))
        else {
            return Ok(None);
        };
        if root["client"].as_str() != Some("raw") {
            return Ok(None);
        }
        let mut numbers = version.split('.').map(|number| number.parse().unwrap_or_default());
        let mut next = || numbers.next().unwrap_or_default();
        let mut recording = Self {
            engine: (next(), next(), next()),
            options: root["options"].clone(),
            exchanges: Vec::new(),
            sockets: Vec::new(),
            closes: Vec::new(),
            forced: Vec::new(),
            blocked: Vec::new(),
            ends: 0,
        };
        let events = root["events"].as_array().ok_or("no array `events`")?;
        let mut events: Vec<(Micros, &Value)> = events.iter().map(|event| (micros(event), event)).collect();
        events.sort_by_key(|(at, _)| *at);
        for (at, event) in events {
            recording.ends = at;
            recording.take(at, event).ok_or_else(|| format!("an event that makes no sense: {event}"))?;
        }
        Ok(Some(recording))
    }

    /// Takes one event; none if it does not fit.
    #[expect(clippy::too_many_lines, reason = "one arm for each kind of event")]
    fn take(&mut self, at: Micros, event: &Value) -> Option<()> {
        let by_client = event["who"] == "client";
        let id = event["id"].as_u64();
        let conn = event["conn"].as_u64();
        let exchange = self.exchanges.iter_mut().find(|exchange| Some(exchange.id) == id);
        let socket = self.sockets.iter_mut().find(|socket| Some(socket.conn) == conn);
        match event["kind"].as_str()? {
            "http_request" => self.exchanges.push(Exchange {
                id: id?,
                at,
                method: event["method"].as_str()?.to_owned(),
                url: event["url"].as_str()?.to_owned(),
                headers: headers(event),
                body: Body::read(&event["body"]),
                outcome: None,
                aborted: None,
            }),
            "http_response" => exchange?.outcome = Some((at, Outcome::Answer(answer(event)?))),
            "http_error" if by_client => _ = exchange?.aborted.get_or_insert(at),
            "http_abort" => _ = exchange?.aborted.get_or_insert(at),
            "http_error" => exchange?.outcome = Some((at, Outcome::Reset)),
            "ws_connect" => self.sockets.push(Socket {
                conn: conn?,
                at,
                url: event["url"].as_str()?.to_owned(),
                opening: None,
                sent: Vec::new(),
                received: Vec::new(),
                closed: None,
            }),
            "ws_open" => socket?.opening = Some(Opening::Opened),
            "ws_rejected" => socket?.opening = Some(Opening::Rejected(answer(event)?)),
            "ws_frame" if event["dropped"] == true => {}
            "ws_frame" => {
                let frames = if by_client { &mut socket?.sent } else { &mut socket?.received };
                frames.push((at, Body::read(&event["data"])?));
            }
            "ws_close" => {
                let closer = if by_client { Closer::Client } else { Closer::Server };
                let code = event["code"].as_u64().and_then(|code| code.try_into().ok()).unwrap_or(1005);
                let end = &mut socket?.closed;
                *end = end.or(Some((at, closer, code)));
            }
            "api" => {
                let args = &event["args"];
                if event["event"] == "close" && args["reason"] == "forced close" {
                    self.forced.push(at);
                }
            }
            "action" => {
                let text = event["text"].as_str()?;
                if !by_client && text.contains("close()") {
                    self.closes.push(at);
                } else if let Some((_, id)) = text.split_once("destroys TCP connection of request ") {
                    let id: u64 = id.trim().parse().ok()?;
                    self.exchanges.iter_mut().find(|exchange| exchange.id == id)?.aborted = Some(at);
                }
            }
            "note" => {
                let text = event["text"].as_str()?;
                if let Some((_, length)) = text.split_once("blocked for ") {
                    let millis: u64 = length.split(' ').next()?.parse().ok()?;
                    self.blocked.push((at, at + millis * 1_000));
                }
            }
            "ws_error" => {}
            _ => return None,
        }
        Some(())
    }
}

fn micros(event: &Value) -> Micros {
    let millis = event["t_ms"].as_f64().unwrap_or_default().max(0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time of a test, not negative"
    )]
    let micros = (millis * 1_000.0).round() as Micros;
    micros
}

fn answer(event: &Value) -> Option<Answer> {
    let status = event["status"].as_u64()?.try_into().ok()?;
    let body = Body::read(&event["body"]).unwrap_or(Body::Text(String::new()));
    Some(Answer { status, headers: headers(event), body })
}

fn headers(event: &Value) -> Vec<(String, String)> {
    let sorted: BTreeMap<String, String> = event["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Array(values) => {
                    values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
                }
                other => other.to_string(),
            };
            (name.to_ascii_lowercase(), value)
        })
        .collect();
    sorted.into_iter().collect()
}
