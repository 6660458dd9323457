//! Every member: its names, its value on the builder, and what is wrong with it.

use serde_json::{Value, json};

use super::*;
use crate::server::Server;

type Got = fn(&ServerBuilder) -> String;

/// The names of each member, a value, and what the builder then has.
const MEMBERS: &[(&[&str], &str, Got, &str)] = &[
    (&["path"], r#""/socket.io""#, |b| b.http.path.clone(), "/socket.io/"),
    (&["transports"], r#"["websocket"]"#, |b| show((b.http.polling, b.http.websocket)), "(false, true)"),
    (&["allowUpgrades", "allow_upgrades"], "false", |b| show(b.http.allow_upgrades), "false"),
    (&["allowEIO3", "allow_eio3", "eio3", "allowEio3"], "true", |b| show(b.http.eio3), "true"),
    (&["pingInterval", "ping_interval"], r#""10s""#, |b| show(core_of(b).heartbeat().ping_interval()), "10s"),
    (&["pingTimeout", "ping_timeout"], "5000", |b| show(core_of(b).heartbeat().ping_timeout()), "5s"),
    (&["liveness"], r#""any-packet""#, |b| core_of(b).liveness().to_string(), "any-packet"),
    (&["firstPingJitter", "first_ping_jitter"], "0", |b| show(b.sessions.first_ping_jitter), "0ns"),
    (
        &["maxPayload", "max_payload", "maxHttpBufferSize", "max_http_buffer_size"],
        "65536",
        |b| show(core_of(b).max_payload()),
        "65536",
    ),
    (&["maxPackets", "max_packets"], "9", |b| show(core_of(b).max_packets()), "9"),
    (
        &["maxPacketsPerPayload", "max_packets_per_payload"],
        "7",
        |b| show(b.sessions.max_packets_per_payload),
        "7",
    ),
    (&["upgradeTimeout", "upgrade_timeout"], r#""3s""#, |b| show(core_of(b).upgrade_timeout()), "3s"),
    (&["closeTimeout", "close_timeout"], r#""4s""#, |b| show(core_of(b).close_timeout()), "4s"),
    (
        &["appStallTimeout", "app_stall_timeout"],
        r#""1m 30s""#,
        |b| show(core_of(b).app_stall_timeout()),
        "90s",
    ),
    (&["inboxMessages", "inbox_messages"], "1", |b| show(b.sessions.limits.inbox_messages), "1"),
    (&["inboxBytes", "inbox_bytes"], "2", |b| show(b.sessions.limits.inbox_bytes), "2"),
    (&["outboxMessages", "outbox_messages"], "3", |b| show(b.sessions.limits.outbox_messages), "3"),
    (&["outboxBytes", "outbox_bytes"], "4", |b| show(b.sessions.limits.outbox_bytes), "4"),
    (
        &["initialPacket", "initial_packet"],
        r#""hi""#,
        |b| show(b.sessions.initial_packet.as_ref().and_then(|message| message.as_text())),
        r#"Some("hi")"#,
    ),
    (
        &["cors"],
        r#"{"origins": "*"}"#,
        |b| show(b.http.cors.as_ref().map(Cors::allowed_origins)),
        "Some(Any)",
    ),
    (
        &["allowedOrigins", "allowed_origins"],
        r#""same-origin""#,
        |b| show(&b.allowed_origins),
        "Some(SameOrigin)",
    ),
    (
        &["trustedProxies", "trusted_proxies"],
        r#"{"header": "Forwarded", "without_address": true}"#,
        |b| show(b.http.trusted_proxies.as_ref().map(|proxies| proxies.trust(None))),
        "Some(true)",
    ),
    (&["cookie"], r#""io""#, |b| show(b.http.cookie == Cookie::new("io").ok()), "true"),
    (
        &["responseHeaders", "response_headers"],
        r#"{"x-a": ["1", "2"]}"#,
        |b| show(b.http.headers.get_all("x-a").iter().count()),
        "2",
    ),
    (&["maxSessions", "max_sessions"], "5", |b| show(b.sessions.max_sessions), "5"),
    (&["node"], r#""a7""#, |b| show(&b.node), r#"Some("a7")"#),
    (&["rememberEnded", "remember_ended"], "0", |b| show(b.sessions.remember_ended), "0"),
    (&["maxConnections", "max_connections"], "6", |b| show(b.http.max_connections), "Some(6)"),
    (
        &["maxConnectionsPerAddress", "max_connections_per_address"],
        "7",
        |b| show(b.http.max_connections_per_address),
        "Some(7)",
    ),
    (
        &["handshakesPerAddress", "handshakes_per_address"],
        r#"{"count": 8, "period": "1m"}"#,
        |b| show(b.handshakes),
        "Some((8, 60s))",
    ),
    (&["requestTimeout", "request_timeout"], "5000", |b| show(b.http.request_timeout), "5s"),
    (&["idleTimeout", "idle_timeout"], "1000", |b| show(b.http.idle_timeout), "1s"),
    (&["maxRequestHead", "max_request_head"], "8192", |b| show(b.http.max_head), "8192"),
    (&["maxRequestHeaders", "max_request_headers"], "9", |b| show(b.http.max_headers), "9"),
    #[cfg(feature = "compression")]
    (&["compression", "httpCompression"], "false", |b| show(b.http.compression_threshold), "None"),
    #[cfg(feature = "compression")]
    (
        &["compressionThreshold", "compression_threshold"],
        "0",
        |b| show(b.http.compression_threshold),
        "Some(0)",
    ),
    #[cfg(feature = "http2")]
    (&["http2"], "false", |b| show(b.http.http2), "false"),
    // The last one is a default of the builder, which a file that is empty leaves as it is.
    (&[], "", |b| show(core_of(b).heartbeat() == Heartbeat::DEFAULT), "true"),
];

fn show(value: impl core::fmt::Debug) -> String {
    format!("{value:?}")
}

fn core_of(builder: &ServerBuilder) -> ServerSettings {
    builder.sessions.settings
}

fn read(json: &str) -> Result<ServerConfig, String> {
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let sentence = error.inner().to_string();
        // An error about the whole file has no position.
        let sentence = sentence.rsplit_once(" at line").map_or(sentence.as_str(), |(sentence, _)| sentence);
        format!("{}: {sentence}", error.path())
    })
}

fn applied(json: &str) -> ServerBuilder {
    Server::builder(|_| async {}).config(read(json).unwrap_or_else(|error| panic!("{json}: {error}")))
}

/// Returns the names that the struct declares.
fn declared() -> Vec<String> {
    let error = read(r#"{"zzzzzzzzzzzz": 1}"#).unwrap_err();
    let (_, list) = error.split_once("expected one of ").unwrap();
    list.split(", ").map(|name| name.trim_matches('`').to_owned()).collect()
}

#[test]
fn every_member_reaches_the_builder_under_each_of_its_names() {
    for &(names, value, got, expected) in MEMBERS {
        for name in names {
            let builder = applied(&format!(r#"{{"{name}": {value}}}"#));
            assert_eq!(got(&builder), expected, "{name}");
            assert!(builder.build().is_ok(), "{name}");
        }
    }
    let tested: Vec<&str> = MEMBERS.iter().filter_map(|(names, ..)| names.first().copied()).collect();
    assert_eq!(tested, declared());
}

#[test]
fn null_counts_as_left_out() {
    let (null, empty) = (|name: &&str| applied(&format!(r#"{{"{name}": null}}"#)), applied("{}"));
    for &(names, _, got, _) in MEMBERS {
        if let Some(name) = names.first() {
            assert_eq!(got(&null(name)), got(&empty), "{name}");
        }
    }
}

#[test]
fn a_setting_that_is_given_twice_is_refused_with_both_names() {
    for &(names, value, ..) in MEMBERS {
        for (first, second) in names.iter().flat_map(|first| names.iter().map(move |second| (first, second)))
        {
            let error = read(&format!(r#"{{"{first}": {value}, "{second}": {value}}}"#)).unwrap_err();
            let expected = if first == second {
                format!("{second}: `{first}` is given twice: expected it once")
            } else {
                format!(
                    "{second}: `{first}` and `{second}` are two names of one setting: expected one of them"
                )
            };
            assert_eq!(error, expected);
        }
    }
}

#[test]
fn a_value_of_another_type_is_refused_at_its_member() {
    for &(names, value, ..) in MEMBERS {
        let Some(name) = names.first() else { continue };
        let value: Value = serde_json::from_str(value).unwrap();
        for wrong in
            [json!(5.5), json!(-5), json!(true), json!("\u{1f980}"), json!([[]]), json!({"zzzzzzzz": 1})]
        {
            let same_type = core::mem::discriminant(&wrong) == core::mem::discriminant(&value);
            // What a text or a boolean means is checked where it has a meaning.
            if same_type && (wrong.is_boolean() || *name == "initialPacket") {
                continue;
            }
            let error = read(&json!({ *name: wrong }).to_string()).unwrap_err();
            assert!(error.starts_with(name), "{name} = {wrong}: {error}");
            assert!(!error.contains("usize") && !error.contains("u64"), "{error}");
        }
    }
}

/// A file, and what is wrong with it.
const MISTAKES: &[(&str, &str)] = &[
    (
        r#"{"pingInterval": "5"}"#,
        r#"pingInterval: "5" has no unit: expected "5s", "5ms", or another time with a unit"#,
    ),
    (
        r#"{"pingInterval": "5x"}"#,
        r#"pingInterval: "5x" is not a time: unknown unit "x": expected ms, s, m, h or d"#,
    ),
    (
        r#"{"pingInterval": "1m 30"}"#,
        r#"pingInterval: "1m 30" is not a time: the unit of 30 is missing: expected ms, s, m, h or d"#,
    ),
    (
        r#"{"pingInterval": "soon"}"#,
        r#"pingInterval: "soon" is not a time: expected a number and a unit, such as "5s" or "500ms""#,
    ),
    (
        r#"{"pingInterval": "0.1ns"}"#,
        r#"pingInterval: "0.1ns" is not a time: too long, or not a whole number of nanoseconds"#,
    ),
    (r#"{"pingInterval": "1.5ms"}"#, "pingInterval: expected a whole number of milliseconds"),
    (
        r#"{"pingInterval": 5.5}"#,
        "pingInterval: invalid type: floating point `5.5`, expected a time such as \"5s\" or \"500ms\", or a whole \
             number of milliseconds",
    ),
    (r#"{"pingTimeout": 0}"#, "pingTimeout: 0s is too short: expected at least 1ms"),
    (r#"{"pingTimeout": -5}"#, "pingTimeout: invalid value: integer `-5`, expected a time such as"),
    (r#"{"pingTimeout": "30 days"}"#, ".: pingInterval + pingTimeout is above 2147483647 ms"),
    (r#"{"upgradeTimeout": "0s"}"#, "upgradeTimeout: upgradeTimeout is too small: expected at least 1 ms"),
    (r#"{"idleTimeout": "500ms"}"#, "idleTimeout: 500ms is too short: expected at least 1s"),
    (r#"{"requestTimeout": 30}"#, "requestTimeout: 30ms is too short: expected at least 1s"),
    (r#"{"maxPayload": 5}"#, "maxPayload: maxPayload is too small: expected at least 6 bytes"),
    (
        r#"{"maxPayload": "1MB"}"#,
        "maxPayload: invalid type: string \"1MB\", expected a whole number without quotes, at least 0",
    ),
    (
        r#"{"maxPayload": -5}"#,
        "maxPayload: invalid value: integer `-5`, expected a whole number without quotes, at least 0",
    ),
    (
        r#"{"maxSessions": 0}"#,
        "maxSessions: invalid value: integer `0`, expected a whole number without quotes, at least 1",
    ),
    (r#"{"path": "engine.io"}"#, "path: the path \"engine.io/\" does not begin with a slash"),
    (r#"{"path": "/a?b"}"#, "path: no request can have the path \"/a?b/\""),
    (r#"{"transports": []}"#, "transports: the list is empty: expected polling, websocket or both"),
    (
        r#"{"transports": ["polling", "webtransport"]}"#,
        "transports[1]: unknown value \"webtransport\": expected polling or websocket",
    ),
    (
        r#"{"liveness": "never"}"#,
        "liveness: unknown value \"never\": expected extend-once, pong-only or any-packet",
    ),
    (
        r#"{"cors": {"origins": ["https://a.example", "a.example"]}}"#,
        "cors.origins[1]: \"a.example\" is not an origin: expected only a scheme and a host",
    ),
    (r#"{"cors": {"origins": []}}"#, "cors: the list of `origins` is empty: expected at least one origin"),
    (r#"{"cors": {"credentials": true}}"#, "cors: missing field `origins`"),
    (
        r#"{"cors": {"origin": "*", "credentials": true}}"#,
        "cors: `credentials` cannot be combined with the origin \"*\"",
    ),
    (
        r#"{"cors": {"origins": "*", "max_age": 600}}"#,
        "cors.max_age: invalid type: integer `600`, expected a time with a unit, such as \"600s\"",
    ),
    (
        r#"{"allowedOrigins": ["https://ann:secret@a.example"]}"#,
        "allowedOrigins[0]: \"https://…@a.example\" is not an origin",
    ),
    (r#"{"trustedProxies": {"networks": ["::1"]}}"#, "trustedProxies: missing field `header`"),
    (
        r#"{"trustedProxies": {"header": "forwarded"}}"#,
        "trustedProxies: no proxy is trusted: expected `networks`, or `withoutAddress = true`",
    ),
    (
        r#"{"trustedProxies": {"header": "forwarded", "networks": ["10.0.0.0/40"]}}"#,
        "trustedProxies.networks[0]: \"10.0.0.0/40\" is invalid: expected an IP address or a network",
    ),
    (r#"{"cookie": {"name": "a b"}}"#, "cookie: the cookie's name \"a b\" is not a token"),
    (
        r#"{"cookie": {"name": "a", "sameSite": "no"}}"#,
        "cookie.sameSite: unknown value \"no\": expected strict, lax or none",
    ),
    (
        r#"{"handshakesPerAddress": {"count": 1, "period": "0s"}}"#,
        "handshakesPerAddress.period: 0s is too short: expected at least 1ms",
    ),
    (
        r#"{"handshakesPerAddress": {"count": 100, "period": 60}}"#,
        "handshakesPerAddress.period: invalid type: integer `60`, expected a time with a unit, such as \"600s\"",
    ),
    (
        r#"{"responseHeaders": {"a b": "c"}}"#,
        "responseHeaders.a b: unknown value \"a b\": expected the name of a header",
    ),
    (r#"{"responseHeaders": {"a": "secret\n"}}"#, "responseHeaders.a: expected the value of a header"),
    (r#"{"maxRequestHead": 8191}"#, "maxRequestHead: invalid value: integer `8191`, expected a whole number"),
    (r#"{"maxRequestHeaders": 10001}"#, "maxRequestHeaders: 10001 is too large: expected at most 10000"),
    (
        r#"{"initialPacket": "a\u001eb"}"#,
        ".: initialPacket contains U+001E at byte 1, which separates packets on polling: expected none, or `transports` \
         without polling",
    ),
];

#[test]
fn each_mistake_is_named_with_its_path_and_what_was_expected() {
    for &(json, expected) in MISTAKES {
        let error = read(json).unwrap_err();
        assert!(error.starts_with(expected), "{json}\n  {error}\n  {expected}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn a_file_without_polling_may_separate_the_parts_of_its_initial_packet_as_it_likes() {
    let file = r#"{"initialPacket": "a\u001eb", "transports": ["websocket"]}"#;
    assert!(applied(file).build().is_ok());
}

#[test]
fn an_unknown_member_is_named_with_the_nearest_one_or_with_what_to_write_instead() {
    for (name, expected) in [
        ("pingIntervall", "did you mean `pingInterval`?"),
        ("ping-timeout", "did you mean `pingTimeout`?"),
        ("Path", "did you mean `path`?"),
        ("MAX_PAYLOAD", "did you mean `maxPayload`?"),
        ("maxConnectionPerAddress", "did you mean `maxConnectionsPerAddress`?"),
        ("heartbeat", "write `pingInterval` and `pingTimeout`"),
        ("cors_allowed_origins", "write `cors` with its member `origins`"),
        ("origins", "write `allowedOrigins`, or `cors` with its member `origins`"),
        ("port", "the application binds the listener, and the settings do not contain its address"),
    ] {
        let error = read(&json!({ name: 1 }).to_string()).unwrap_err();
        assert_eq!(error, format!("{name}: unknown member `{name}`: {expected}"));
    }
    let error = read(r#"{"pingInterval": "5s", "heartbeat": {"pingTimeout": 5}}"#).unwrap_err();
    assert_eq!(error, "heartbeat: unknown member `heartbeat`: write `pingInterval` and `pingTimeout`");
    let error = read(r#"{"heartbeat interval": 25}"#).unwrap_err();
    assert!(
        error.contains("`heartbeat interval` is an old setting of Socket.IO: write `pingInterval`"),
        "{error}"
    );
    let error = read(r#"{"cookie": {"name": "io", "same-site": "lax"}}"#).unwrap_err();
    assert_eq!(error, "cookie.same-site: unknown member `same-site`: did you mean `sameSite`?");
}

#[test]
fn a_file_changes_what_it_contains_and_later_setters_change_it_again() {
    let before = Server::builder(|_| async {}).max_sessions(7).path("/before/").max_payload(100);
    let builder = before.config(read(r#"{"path": "/file/", "pingTimeout": "5s"}"#).unwrap());
    assert_eq!((builder.http.path.as_str(), builder.sessions.max_sessions), ("/file/", 7));
    assert_eq!(core_of(&builder).max_payload(), 100);
    assert_eq!(core_of(&builder).heartbeat().max_silence(), Duration::from_secs(30));
    assert_eq!(builder.path("/after").http.path, "/after/");
}

#[cfg(feature = "compression")]
#[test]
fn compression_is_on_off_or_above_a_threshold() {
    for (json, threshold) in [
        ("{}", Some(1_024)),
        (r#"{"compression": true}"#, Some(1_024)),
        (r#"{"compression": true, "compressionThreshold": 9}"#, Some(9)),
        (r#"{"compression": false, "compressionThreshold": 9}"#, None),
    ] {
        assert_eq!(applied(json).http.compression_threshold, threshold, "{json}");
    }
}

#[cfg(all(feature = "compression", feature = "http2"))]
#[test]
fn the_file_in_the_guide_sets_every_member_and_builds_a_server() {
    let chapter = include_str!("../../../guide/configuration.md");
    let (_, rest) = chapter.split_once("# A whole file").unwrap();
    let (_, rest) = rest.split_once("```toml\n").unwrap();
    let (file, _) = rest.split_once("```").unwrap();
    let config: ServerConfig = toml::from_str(file).unwrap();
    assert!(Server::builder(|_| async {}).config(config).build().is_ok());
    let mut names: Vec<String> =
        toml::from_str::<toml::Table>(file).unwrap().into_iter().map(|(name, _)| name).collect();
    let mut declared = declared();
    names.sort();
    declared.sort();
    assert_eq!(names, declared);
    let table = include_str!("../server_config.rs");
    for name in declared {
        let listed =
            table.lines().any(|line| line.starts_with("/// | ") && line.contains(&format!("`{name}`")));
        assert!(listed, "{name} is not in the table of members");
    }
}
