//! Our server, set up as the recorded one was.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use eio_core::{Heartbeat, Liveness};
use eio_tokio::{AllowedOrigins, Cookie, Cors, Disconnect, SameSite, Sender, Server, ServerBuilder};
use serde_json::Value;

use crate::recording::{Opening, Outcome, Recording};

/// What the application knows of a session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) sender: Sender,
    pub(crate) end: Option<Disconnect>,
}

/// The sessions by their identifiers, and which one opened last.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    pub(crate) by_sid: HashMap<String, Session>,
    pub(crate) last: Option<String>,
}

/// A server whose application notes its sessions and reads what they say.
pub(crate) fn server(recording: &Recording, sessions: &Arc<Mutex<Sessions>>) -> Result<Server, String> {
    let sessions = Arc::clone(sessions);
    let builder = Server::builder(move |mut socket| {
        let sessions = Arc::clone(&sessions);
        async move {
            let lock = || sessions.lock().unwrap_or_else(PoisonError::into_inner);
            let sid = socket.id().as_str().to_owned();
            {
                let mut sessions = lock();
                sessions.by_sid.insert(sid.clone(), Session { sender: socket.sender(), end: None });
                sessions.last = Some(sid.clone());
            }
            let end = loop {
                if let Err(end) = socket.recv().await {
                    break end;
                }
            };
            if let Some(session) = lock().by_sid.get_mut(&sid) {
                session.end = Some(end);
            }
        }
    });
    configure(builder, recording)?.build().map_err(|error| error.to_string())
}

fn configure(mut builder: ServerBuilder, recording: &Recording) -> Result<ServerBuilder, String> {
    let options = &recording.options;
    let millis = |name: &str, default: u64| options[name].as_f64().map_or(default, whole);
    let is_old = recording.engine < (4, 0, 0);
    let heartbeat = Heartbeat::new(
        Duration::from_millis(millis("pingInterval", 25_000)),
        Duration::from_millis(millis("pingTimeout", 20_000)),
    );
    let max_payload = if recording.engine >= (3, 6, 0) { 1_000_000 } else { 100_000_000 };
    builder = builder
        .heartbeat(heartbeat.map_err(|error| error.to_string())?)
        .liveness(match recording.engine {
            (6, 6, 0..=10) => Liveness::PongOnly,
            engine if engine >= (6, 6, 11) => Liveness::ExtendOnce,
            _ => Liveness::AnyPacket,
        })
        .upgrade_timeout(Duration::from_millis(millis("upgradeTimeout", 10_000)))
        .max_payload(u32::try_from(millis("maxHttpBufferSize", max_payload)).unwrap_or(u32::MAX))
        .allow_upgrades(options["allowUpgrades"].as_bool().unwrap_or(true))
        .eio3(is_old || options["allowEIO3"] == true)
        // The reference has no such setting.
        .allowed_origins(AllowedOrigins::Any);
    if let Some(transports) = options["transports"].as_array() {
        let has = |name: &str| transports.iter().any(|transport| transport == name);
        builder = builder.transports(has("polling"), has("websocket"));
    }
    if let Some(path) = options["path"].as_str() {
        builder = builder.path(path);
    }
    if let Some(text) = options["initialPacket"].as_str() {
        builder = builder.initial_packet(text);
    }
    match &options["httpCompression"] {
        Value::Bool(false) => builder = builder.compression(None),
        Value::Object(compression) => {
            let threshold = compression.get("threshold").and_then(Value::as_f64).map_or(1024, whole);
            builder = builder.compression(usize::try_from(threshold).ok());
        }
        _ => {}
    }
    if let Some(cookie) = cookie(&options["cookie"], is_old)? {
        builder = builder.cookie(cookie);
    }
    if let Some(cors) = cors(&options["cors"])? {
        builder = builder.cors(cors);
    }
    if !options["allowRequest"].is_null() {
        let refused = refused(recording);
        builder = builder.allow_request(move |head| {
            let message = head.uri.path_and_query().and_then(|path| refused.get(path.as_str())).cloned();
            async { message.map_or(Ok(()), |message| Err(message.into())) }
        });
    }
    if is_discard(recording) {
        // `close(true)` waits for nothing; a millisecond is the least that ours takes.
        builder = builder.close_timeout(Duration::from_millis(1));
    }
    Ok(builder)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an option of a test")]
fn whole(number: f64) -> u64 {
    number as u64
}

fn cookie(option: &Value, is_old: bool) -> Result<Option<Cookie>, String> {
    let old = || Cookie::new("io").map(|cookie| cookie.same_site(SameSite::Strict));
    let cookie = match option {
        Value::Null if is_old => old(),
        Value::Bool(true) => {
            if is_old {
                old()
            } else {
                Cookie::new("io")
            }
        }
        Value::String(name) => Cookie::new(name.as_str()),
        Value::Object(fields) => {
            let name = fields.get("name").and_then(Value::as_str).unwrap_or("io");
            let path = fields.get("path").and_then(Value::as_str).unwrap_or("/");
            let is = |name: &str| fields.get(name).and_then(Value::as_bool);
            let same_site = match fields.get("sameSite").and_then(Value::as_str).unwrap_or("lax") {
                "strict" => SameSite::Strict,
                "none" => SameSite::None,
                _ => SameSite::Lax,
            };
            Cookie::new(name).and_then(|cookie| cookie.path(path)).map(|cookie| {
                let cookie = cookie
                    .http_only(is("httpOnly").unwrap_or(true))
                    .same_site(same_site)
                    .secure(is("secure").unwrap_or_default());
                match fields.get("maxAge").and_then(Value::as_f64) {
                    Some(seconds) => cookie.max_age(Duration::from_secs(whole(seconds))),
                    None => cookie,
                }
            })
        }
        _ => return Ok(None),
    };
    cookie.map(Some).map_err(|error| error.to_string())
}

fn cors(option: &Value) -> Result<Option<Cors>, String> {
    if !option.is_object() && option != &Value::Bool(true) {
        return Ok(None);
    }
    let cors = match &option["origin"] {
        Value::Bool(true) => Cors::reflecting(),
        Value::Bool(false) => return Ok(None),
        Value::Null => Cors::any(),
        origins => Cors::origins(list(origins)).map_err(|error| error.to_string())?,
    };
    let mut cors = cors.credentials(option["credentials"] == true);
    if !option["methods"].is_null() {
        cors = cors.methods(list(&option["methods"]).iter().filter_map(|method| method.parse().ok()));
    }
    if !option["allowedHeaders"].is_null() {
        cors =
            cors.allowed_headers(list(&option["allowedHeaders"]).iter().filter_map(|name| name.parse().ok()));
    }
    if !option["exposedHeaders"].is_null() {
        cors =
            cors.exposed_headers(list(&option["exposedHeaders"]).iter().filter_map(|name| name.parse().ok()));
    }
    if let Some(seconds) = option["maxAge"].as_f64() {
        cors = cors.max_age(Duration::from_secs(whole(seconds)));
    }
    Ok(Some(cors))
}

/// An array of strings, or a string with commas.
fn list(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(text) => text.split(',').map(|item| item.trim().to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// What the recorded `allowRequest` refused, and with which message.
fn refused(recording: &Recording) -> HashMap<String, String> {
    const OWN: [&str; 5] = [
        "Transport unknown",
        "Session ID unknown",
        "Bad handshake method",
        "Bad request",
        "Unsupported protocol version",
    ];
    let mut refused = HashMap::new();
    for exchange in &recording.exchanges {
        if let Some((_, Outcome::Answer(answer))) = &exchange.outcome
            && answer.status == 403
        {
            let body: Value = serde_json::from_slice(&answer.body.bytes()).unwrap_or_default();
            let message = body["message"].as_str().unwrap_or_default();
            refused.insert(exchange.url.clone(), message.to_owned());
        }
    }
    for socket in &recording.sockets {
        if let Some(Opening::Rejected(answer)) = &socket.opening
            && let Some(message) = answer.body.text()
            && !OWN.contains(&message)
        {
            refused.insert(socket.url.clone(), message.to_owned());
        }
    }
    // What the application did not word: the server does.
    for message in refused.values_mut() {
        if message == "Forbidden" {
            message.clear();
        }
    }
    refused
}

/// Whether the application threw a polling session away, without a request that could have carried a close packet.
fn is_discard(recording: &Recording) -> bool {
    recording.closes.is_empty()
        && recording.sockets.iter().all(|socket| socket.opening.is_none())
        && recording.forced.iter().any(|forced| {
            recording.exchanges.iter().all(|exchange| {
                let over = exchange.outcome.as_ref().is_some_and(|(at, _)| at <= forced);
                over || exchange.at > *forced
            })
        })
}
