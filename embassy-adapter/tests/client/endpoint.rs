//! Where the server is: URLs, a login, a subprotocol, and what of it the request contains.

use core::pin::pin;
use core::task::Poll;

use eio_core::ws::opening::RequestError;
use eio_embassy::{BasicAuth, ClientSettings, ConnectError, Endpoint, UrlErrorKind};

#[cfg(feature = "subprotocol")]
use crate::fakes::OPEN;
use crate::fakes::{self, Server, Task, buffers, rng};

/// What a client sends to open a session, or why it sends nothing.
fn request(endpoint: &Endpoint<'_>, settings: &ClientSettings, tx: usize) -> Result<String, ConnectError> {
    let _clock = fakes::clock();
    let (mut server, reader, writer) = Server::new();
    let mut connect = pin!(fakes::connect(reader, writer, endpoint, buffers(512, tx), rng(), settings));
    match Task::new().poll(connect.as_mut()) {
        Poll::Pending => Ok(server.request().0),
        Poll::Ready(result) => {
            assert!(server.take_raw().is_empty(), "a refused request was sent");
            Err(result.map(drop).expect_err("no session"))
        }
    }
}

#[test]
fn a_url_says_where_the_server_is_and_whether_it_speaks_tls() {
    for (url, secure, host, name, port) in [
        ("http://h", false, "h", "h", 80),
        ("ws://h/", false, "h", "h", 80),
        ("https://h", true, "h", "h", 443),
        ("WSS://Server.Example:8443/", true, "Server.Example:8443", "Server.Example", 8443),
        ("ws://10.0.2.2:3000?a=b", false, "10.0.2.2:3000", "10.0.2.2", 3000),
        ("http://[2001:db8::1]", false, "[2001:db8::1]", "2001:db8::1", 80),
        ("wss://[::1]:65535/x#y", true, "[::1]:65535", "::1", 65535),
        ("ws://h:00080#f", false, "h:00080", "h", 80),
    ] {
        let endpoint = Endpoint::parse(url).expect(url);
        assert_eq!((endpoint.secure, endpoint.host), (secure, host), "{url}");
        assert_eq!((endpoint.name(), endpoint.port()), (name, port), "{url}");
    }
}

#[test]
fn the_path_and_the_query_of_a_url_pass_through_and_have_the_protocols_defaults() {
    for (url, path, query) in [
        ("ws://h", "/engine.io/", ""),
        ("ws://h/", "/engine.io/", ""),
        ("ws://h?a=%20&b", "/engine.io/", "a=%20&b"),
        ("ws://h/app?x", "/app", "x"),
        ("ws://h/app/engine.io/?", "/app/engine.io/", ""),
        ("ws://h/a@b:c?d=/e?f#g?h", "/a@b:c", "d=/e?f"),
        (
            "ws://h/?eio=4&sids=1&ta&tt=t&transports=polling",
            "/engine.io/",
            "eio=4&sids=1&ta&tt=t&transports=polling",
        ),
        ("ws://h//", "//", ""),
    ] {
        let endpoint = Endpoint::parse(url).expect(url);
        assert_eq!((endpoint.path, endpoint.query), (path, query), "{url}");
        let endpoint = Endpoint::parse_socketio(url).expect(url);
        let path = if path == "/engine.io/" { "/socket.io/" } else { path };
        assert_eq!((endpoint.path, endpoint.query), (path, query), "{url}");
    }
}

#[test]
fn a_url_that_cannot_be_used_is_refused_with_the_reason_and_the_place() {
    use UrlErrorKind::{Character, Host, Port, ReservedParameter, Scheme, User};
    for (url, kind, at) in [
        ("", Scheme, 0),
        ("h:3000", Scheme, 0),
        ("//h", Scheme, 0),
        ("ws:/h", Scheme, 0),
        ("ftp://h/", Scheme, 0),
        ("wss", Scheme, 0),
        ("ws://", Host, 5),
        ("ws:///path", Host, 5),
        ("ws://:80", Host, 5),
        ("ws://ex ample/", Host, 7),
        ("ws://h\r\nX: y/", Host, 6),
        ("ws://m\u{fc}ller.example/", Host, 6),
        ("ws://::1/", Host, 5),
        ("ws://[::1/", Host, 5),
        ("ws://::1]/", Host, 5),
        ("ws://[]", Host, 5),
        ("ws://[h]:1", Host, 6),
        ("ws://a[::1]", Host, 5),
        ("ws://h:", Port, 7),
        ("ws://h:0/", Port, 7),
        ("ws://h:65536/", Port, 7),
        ("ws://h:+80/", Port, 7),
        ("ws://h:80a/", Port, 7),
        ("ws://h:1:2", Port, 7),
        ("ws://[::1]80", Port, 11),
        ("ws://[::1]:x", Port, 11),
        ("ws://ann:secret@h", User, 15),
        ("ws://@", User, 5),
        ("ws://a@b@h/", User, 8),
        ("ws://h/a b", Character, 8),
        ("ws://h/a?b\r\nX: y", Character, 10),
        ("ws://h/\u{e4}", Character, 7),
        ("ws://h/?EIO=4", ReservedParameter, 8),
        ("ws://h?a=b&sid=x", ReservedParameter, 11),
        ("ws://h/p?a&si%64", ReservedParameter, 11),
        ("ws://h/p?transport=websocket", ReservedParameter, 9),
        ("ws://h/p?&t", ReservedParameter, 10),
    ] {
        for parsed in [Endpoint::parse(url), Endpoint::parse_socketio(url)] {
            let error = parsed.expect_err(url);
            assert_eq!((error.kind, error.at), (kind, at), "{url}");
            assert_eq!(error.to_string(), format!("invalid URL at byte {at}: {}", error.as_str()));
        }
    }
}

#[test]
fn a_host_that_was_not_parsed_has_a_name_and_a_port_as_well() {
    for (host, name, port) in [
        ("h", "h", 80),
        ("h:1", "h", 1),
        ("[::1]:1", "::1", 1),
        ("h:", "h", 0),
        ("h:99999", "h", 0),
        ("", "", 80),
    ] {
        let endpoint = Endpoint::engineio(host);
        assert_eq!((endpoint.name(), endpoint.port()), (name, port), "{host}");
    }
}

#[test]
fn a_user_name_and_a_password_are_sent_by_basic_authentication() {
    // The first is the example of RFC 7617 section 2; the others have each length of the last group, and symbols 62 and 63.
    for (login, value) in [
        ("Aladdin:open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        (":", "Basic Og=="),
        ("a:", "Basic YTo="),
        ("a:b", "Basic YTpi"),
        ("a:b:c", "Basic YTpiOmM="),
        ("\u{3ff}\u{fff}:", "Basic z7/gv786"),
        ("\u{be}>:", "Basic wr4+Og=="),
    ] {
        let login: BasicAuth<64> = BasicAuth::new(login).expect(login);
        assert_eq!(login.header(), ("Authorization", value));
        let endpoint = Endpoint { headers: &[login.header()], ..Endpoint::engineio("h") };
        let request = request(&endpoint, &ClientSettings::DEFAULT, 512).expect(value);
        assert!(request.ends_with(&format!("\r\nAuthorization: {value}\r\n\r\n")), "{request}");
    }
}

#[test]
fn a_login_without_a_colon_or_without_room_is_none() {
    assert!(BasicAuth::<64>::new("").is_none() && BasicAuth::<64>::new("ann").is_none());
    assert!(BasicAuth::<13>::new("a:b:").is_none() && BasicAuth::<14>::new("a:b:").is_some());
    assert!(BasicAuth::<9>::new("a:b").is_none() && BasicAuth::<10>::new("a:b").is_some());
    assert!(BasicAuth::<0>::new("a:b").is_none() && BasicAuth::<5>::new("a:b").is_none());
}

#[test]
fn an_invalid_part_of_the_endpoint_is_named() {
    let base = Endpoint::engineio("h");
    let refusal = |endpoint| request(&endpoint, &ClientSettings::DEFAULT, 512).expect_err("it is sent");
    assert_eq!(
        refusal(Endpoint { headers: &[("X", "1"), ("Y", "2\r\nZ: 3")], ..base }),
        ConnectError::InvalidEndpoint(RequestError::Header { index: 1 })
    );
    let host = refusal(Endpoint { host: "h\r\nX: y", ..base });
    assert_eq!(host.to_string(), "invalid endpoint: invalid host: expected visible ASCII");
}

#[test]
fn what_may_be_secret_is_not_printed() {
    let login: BasicAuth<64> = BasicAuth::new("ann:hidden").expect("it fits");
    let endpoint =
        Endpoint { headers: &[login.header()], ..Endpoint::parse("wss://h/p?token=hidden").expect("a URL") };
    let printed = format!("{endpoint:?} {login:?}");
    assert!(!printed.contains("hidden") && !printed.contains("Basic "), "{printed}");
    assert!(printed.contains("/p"), "{printed}");
}

#[cfg(feature = "subprotocol")]
mod subprotocol {
    use eio_core::ws::opening::ResponseError;

    use super::{
        ClientSettings, ConnectError, Endpoint, OPEN, Poll, Server, Task, buffers, fakes, pin, request, rng,
    };

    fn offering(name: &'static str) -> ClientSettings {
        ClientSettings { subprotocol: Some(name), ..ClientSettings::DEFAULT }
    }

    /// What a client makes of a response in which the server chooses this subprotocol.
    fn connected(settings: &ClientSettings, chosen: Option<&str>) -> Result<(), ConnectError> {
        let _clock = fakes::clock();
        let (mut server, reader, writer) = Server::new();
        let (endpoint, task) = (Endpoint::engineio("h"), Task::new());
        let mut connect = pin!(fakes::connect(reader, writer, &endpoint, buffers(512, 512), rng(), settings));
        assert!(task.poll(connect.as_mut()).is_pending());
        let (_, switch) = server.request();
        let head = switch.strip_suffix("\r\n").expect("an empty line at the end");
        let line = chosen.map_or(String::new(), |name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
        server.raw(format!("{head}{line}\r\n").as_bytes());
        server.text(OPEN);
        match task.poll(connect.as_mut()) {
            Poll::Ready(result) => result.map(drop),
            Poll::Pending => panic!("it waits"),
        }
    }

    #[test]
    fn the_session_opens_only_with_the_subprotocol_that_was_offered() {
        let offering = offering("telemetry.v2");
        assert_eq!(connected(&offering, Some("telemetry.v2")), Ok(()));
        assert_eq!(connected(&offering, None), Err(ConnectError::SubprotocolRefused));
        assert_eq!(connected(&ClientSettings::DEFAULT, None), Ok(()));
        for chosen in ["telemetry.v1", "telemetry", "Telemetry.v2", "telemetry.v2, telemetry.v2"] {
            let wrong = Err(ConnectError::Response(ResponseError::Protocol));
            assert_eq!(connected(&offering, Some(chosen)), wrong, "{chosen}");
            assert_eq!(connected(&ClientSettings::DEFAULT, Some(chosen)), wrong, "{chosen}");
        }
    }

    #[test]
    fn the_subprotocol_follows_the_other_headers() {
        let endpoint = Endpoint { headers: &[("X-Device", "7")], ..Endpoint::engineio("h") };
        let request = request(&endpoint, &offering("telemetry.v2"), 512).expect("a request");
        let end = "\r\nX-Device: 7\r\nSec-WebSocket-Protocol: telemetry.v2\r\n\r\n";
        assert!(request.ends_with(end) && request.matches("\r\n\r\n").count() == 1, "{request}");
    }

    #[test]
    fn a_subprotocol_that_could_smuggle_anything_is_not_sent() {
        for name in ["", "a b", "a,b", "a\r\nX: y", "\u{e4}", "a;b"] {
            let refused = request(&Endpoint::engineio("h"), &offering(name), 512);
            assert_eq!(refused, Err(ConnectError::InvalidSubprotocol), "{name:?}");
        }
    }

    #[test]
    fn a_send_buffer_without_room_for_the_subprotocol_says_how_large_it_must_be() {
        let (endpoint, settings) = (Endpoint::engineio("h"), offering("subprotocol".repeat(20).leak()));
        let Err(ConnectError::TxTooSmall { needed }) = request(&endpoint, &settings, 300) else {
            panic!("it fits");
        };
        assert_eq!(request(&endpoint, &settings, needed).map(|request| request.len()), Ok(needed));
        assert_eq!(request(&endpoint, &settings, needed - 1), Err(ConnectError::TxTooSmall { needed }));
        // Also if not even the rest of the request fits.
        let endpoint = Endpoint { query: &"q".repeat(300), ..endpoint };
        let needed = needed + 301;
        assert_eq!(request(&endpoint, &settings, 300), Err(ConnectError::TxTooSmall { needed }));
    }
}
