//! `eio connect` in a terminal, in the background of a terminal, and without input.

#![cfg(target_os = "linux")]

use crate::program::Eio;

fn serve() -> (Eio, String) {
    let mut server = Eio::start(&["serve", "--json", "--echo", "--listen", "127.0.0.1:0"]);
    let url = server.event("listening")["url"].as_str().unwrap().to_owned();
    (server, url)
}

#[test]
fn in_the_background_of_a_terminal_a_session_lives_and_ends_on_time() {
    let (_server, url) = serve();
    // `exit` at the end keeps the shell from replacing itself with the program. `timeout` and `&` run the program in the
    // background, where reading the terminal would stop it.
    for script in [
        format!("timeout 60 \"$EIO\" connect --json --for 300ms {url}; exit $?"),
        format!("set -m; \"$EIO\" connect --json --for 300ms {url} & wait $!; exit $?"),
    ] {
        let mut client = Eio::start_in_terminal(&script);
        let close = client.event("close");
        assert_eq!((&close["reason"], &close["exit_code"]), (&"forced close".into(), &0.into()), "{script}");
        assert_eq!(client.exit_code(), 0, "{script}");
    }
}

#[test]
fn in_the_foreground_of_a_terminal_a_typed_line_is_sent() {
    let (_server, url) = serve();
    let mut client = Eio::start_in_terminal(&format!("stty -echo; \"$EIO\" connect --json {url}; exit $?"));
    client.event("upgrade");
    client.say("typed");
    assert_eq!(client.event("message")["data"], "typed");
}

#[test]
fn a_time_to_be_open_ends_the_session_with_code_0() {
    let (mut server, url) = serve();
    for options in [&[][..], &["--transport", "polling"], &["--socketio"]] {
        let url = if options == ["--socketio"] { format!("{url}engine.io/") } else { url.clone() };
        let mut client = Eio::start(&[&["connect", "--json", "--for", "300ms", &url], options].concat());
        let close = client.event("close");
        assert_eq!(
            (&close["reason"], &close["exit_code"]),
            (&"forced close".into(), &0.into()),
            "{options:?}"
        );
        assert!((300..5_000).contains(&close["lived_ms"].as_u64().unwrap()), "{close}");
        assert_eq!(client.exit_code(), 0);
        assert_eq!(server.event("close")["reason"], "transport close");
    }
}

#[test]
fn without_input_nothing_is_sent() {
    let (_server, url) = serve();
    let mut client = Eio::start(&["connect", "--json", "--no-input", "--for", "500ms", &url]);
    client.say("not to be sent");
    let events = client.rest();
    assert_eq!(client.exit_code(), 0);
    assert!(events.iter().any(|event| event.contains("\"event\":\"close\"")), "{events:#?}");
    assert!(!events.iter().any(|event| event.contains("not to be sent")), "{events:#?}");
}
