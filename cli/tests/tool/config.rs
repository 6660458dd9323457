//! `eio serve --config`: what a file sets, what an option overrides, and what is wrong with a file.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::connection::Directory;
use crate::peer::{WebSocket, first_line, get, head};
use crate::program::{Eio, lines_of};

/// Starts a server with this file, and returns its address and its event `listening`.
fn serve(file: &str, options: &[&str]) -> (Eio, String, Value) {
    let mut server = Eio::start(&[&["serve", "--json", "--config", file], options].concat());
    let listening = server.event("listening");
    let address = listening["address"].as_str().unwrap_or_default().to_owned();
    (server, address, listening)
}

/// Returns the lines that say what is wrong with a file. The program exits soon, with code 2.
fn errors(file: &str) -> Vec<String> {
    let mut program = Eio::start(&["serve", "--listen", "127.0.0.1:0", "--config", file]);
    assert_eq!(program.exit_code_within(Duration::from_secs(10)), 2, "{:?}", program.rest());
    let lines = lines_of(&program.errors()).into_iter().map(str::to_owned).collect();
    assert!(program.rest().is_empty());
    lines
}

/// Returns what is wrong with a member of a file, of which the help says more.
fn mistake(file: &str) -> String {
    let lines = errors(file);
    assert_eq!((lines.len(), &*lines[1]), (2, "Run 'eio serve --help' to see the options"), "{lines:?}");
    lines[0].strip_prefix("eio: ").unwrap().to_owned()
}

/// Returns why a file cannot be read, of which the help says nothing.
fn unreadable(file: &str) -> String {
    let lines = errors(file);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines[0].strip_prefix("eio: ").unwrap().to_owned()
}

/// Returns the answer that opens a session on polling.
fn opening(address: &str, path: &str) -> String {
    get(address, &format!("{path}?EIO=4&transport=polling"))
}

/// Returns the first line of the answer to a page of this origin that opens a session.
fn opening_from(origin: &str, address: &str, path: &str) -> String {
    let target = format!("{path}?EIO=4&transport=polling");
    first_line(address, &target, &format!("Host: {address}\r\nOrigin: {origin}\r\n"))
}

/// Returns the first line of the answer to a client that calls the server by this name.
fn called(name: &str, address: &str) -> String {
    first_line(address, "/", &format!("Host: {name}\r\n"))
}

/// Returns the interval and the timeout of the heartbeat, in milliseconds.
fn heartbeat(listening: &Value) -> [u64; 2] {
    ["ping_interval_ms", "ping_timeout_ms"].map(|name| listening[name].as_u64().unwrap())
}

#[test]
fn toml_yaml_and_json_set_the_same() {
    let directory = Directory::new("formats");
    for (name, text) in [
        (
            "a.toml",
            "listen = \"127.0.0.1:0\"\npath = \"/chat\"\nping_interval = \"10s\"\npingTimeout = 5000\n[cors]\norigins = [\"https://app.example\"]\n",
        ),
        (
            "a.yaml",
            "# a comment\nlisten: 127.0.0.1:0\npath: /chat\nping_interval: 10s\npingTimeout: 5000\ncors:\n  origins: [https://app.example]\n",
        ),
        (
            "a.YML",
            "listen: '127.0.0.1:0'\npath: \"/chat\"\npingInterval: 10000\nping_timeout: 5s\ncors: {origin: 'https://app.example'}\n",
        ),
        (
            "a.json",
            "\u{feff}{\"listen\": \"127.0.0.1:0\", \"path\": \"/chat\", \"pingInterval\": \"10s\", \"ping_timeout\": \"5000ms\", \"cors\": {\"origins\": \"https://app.example\"}}",
        ),
    ] {
        let (_server, address, listening) = serve(&directory.write(name, text), &[]);
        assert_eq!(heartbeat(&listening), [10_000, 5_000]);
        let answer = opening(&address, "/chat/");
        assert!(answer.contains("access-control-allow-origin: https://app.example"), "{name}: {answer}");
        assert!(answer.contains(r#""pingInterval":10000,"pingTimeout":5000"#), "{name}: {answer}");
    }
}

/// Everything that an option sets as well.
const FILE: &str = "\
listen = '127.0.0.1:1'
path = '/file/'
pingInterval = '7s'
pingTimeout = '6s'
liveness = 'any-packet'
idleTimeout = '120s'
maxPayload = 5000
transports = ['polling']
allowUpgrades = true
allowEIO3 = false
allowedOrigins = ['https://file.example']
allowedHosts = ['file.example']
workers = 1
echo = true
sidKey = 'file'
[cors]
origins = ['https://file.example']
";

#[test]
fn a_file_sets_what_options_set() {
    let directory = Directory::new("file");
    let file = directory.write("a.toml", FILE);
    let (mut server, address, listening) = serve(&file, &["--port", "0"]);
    assert_eq!((&listening["path"], &listening["liveness"]), (&"/file/".into(), &"any-packet".into()));
    assert_eq!(heartbeat(&listening), [7_000, 6_000]);
    assert!(head(&address, "/").to_lowercase().contains("keep-alive: timeout=120"));
    let answer = opening(&address, "/file/");
    assert!(answer.contains(r#""maxPayload":5000"#), "{answer}");
    assert!(answer.contains("access-control-allow-origin: https://file.example"), "{answer}");
    assert_eq!(server.event("open")["transport"], "polling");
    let refused = WebSocket::refused(&address, "/file/?EIO=4&transport=websocket");
    assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
    assert!(opening_from("https://file.example", &address, "/file/").contains("200"));
    assert!(
        opening_from("http://localhost:5173", &address, "/file/").contains("403"),
        "a page of this machine is not in the file's list"
    );
    assert!(called("file.example", &address).contains("200"));
    assert!(called("option.example", &address).contains("403"));
}

#[test]
fn an_option_overrides_the_file() {
    let directory = Directory::new("override");
    let file = directory.write("a.toml", FILE);
    let options = "--listen 127.0.0.1:0 --path /option/ --ping-interval 9s --liveness pong-only --idle-timeout 150s \
                   --max-payload 6000 --transports websocket,polling --no-upgrades --eio3 --cors https://option.example \
                   --host option.example --workers 2";
    let (mut server, address, listening) = serve(&file, &options.split_whitespace().collect::<Vec<_>>());
    assert_eq!((&listening["path"], &listening["liveness"]), (&"/option/".into(), &"pong-only".into()));
    // The option gives one of the two periods, and the file the other one.
    assert_eq!(heartbeat(&listening), [9_000, 6_000]);
    assert!(head(&address, "/").to_lowercase().contains("keep-alive: timeout=150"));
    let answer = opening(&address, "/option/");
    assert!(answer.contains(r#""upgrades":[]"#) && answer.contains(r#""maxPayload":6000"#), "{answer}");
    assert!(answer.contains("access-control-allow-origin: https://option.example"), "{answer}");
    assert!(opening_from("https://option.example", &address, "/option/").contains("200"));
    assert!(opening_from("https://file.example", &address, "/option/").contains("403"));
    assert!(called("option.example", &address).contains("200"));
    assert!(called("file.example", &address).contains("403"));
    // A switch that is not given leaves what the file says.
    let mut client = WebSocket::open_at(&address, "/option/", 3);
    client.send("4hello");
    assert_eq!(client.next().as_deref(), Some("4hello"));
    let open = core::iter::repeat_with(|| server.event("open")).find(|open| open["eio"] == 3);
    assert_eq!(open.unwrap()["transport"], "websocket");
}

#[test]
fn port_keeps_the_host_of_the_file() {
    let (mut server, address, _) = {
        let directory = Directory::new("port");
        serve(&directory.write("a.yaml", "listen: 127.0.0.2:1\n"), &["--port", "0"])
    };
    assert!(address.starts_with("127.0.0.2:") && address != "127.0.0.2:1", "{address}");
    server.interrupt();
    assert_eq!(server.exit_code(), 0);
    let mut server = Eio::start(&["serve", "--json", "--port", "0"]);
    assert!(server.event("listening")["address"].as_str().unwrap().starts_with("127.0.0.1:"));
}

#[cfg(unix)]
#[test]
fn a_file_names_a_unix_socket_and_an_option_an_address_instead() {
    let directory = Directory::new("config-unix");
    let socket = directory.file("s");
    let file =
        directory.write("a.json", &serde_json::json!({ "unix": socket, "unixMode": "660" }).to_string());
    let (_server, _, listening) = serve(&file, &[]);
    assert_eq!(listening["unix"], socket);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&socket).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o660);
    let (_server, address, _) = serve(&file, &["--port", "0"]);
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    let both = directory.write("both.toml", "listen = '127.0.0.1:0'\nunix = '/tmp/s'\n");
    let mut program = Eio::start(&["serve", "--config", &both]);
    assert_eq!(program.exit_code(), 2);
    let sentence = format!("eio: {both}: it has both `listen` and `unix`: expected one of them\n");
    assert!(program.errors().starts_with(&sentence));
}

#[test]
fn a_file_without_content_changes_nothing() {
    let directory = Directory::new("empty");
    for (name, text) in [
        ("a.toml", ""),
        ("b.toml", "# nothing\n"),
        ("a.json", " \n"),
        ("b.json", "{}"),
        ("a.yaml", "\n"),
        ("b.yaml", "# nothing\n"),
        ("c.yaml", "---\n"),
        ("d.yml", "{}\n"),
        ("e.yml", "cors:\npingInterval: ~\n"),
    ] {
        let (_server, _, listening) = serve(&directory.write(name, text), &["--port", "0"]);
        assert_eq!(
            (&listening["path"], &listening["ping_interval_ms"]),
            (&"/engine.io/".into(), &25_000.into())
        );
    }
}

#[test]
fn the_file_in_the_guide_serves() {
    let chapter = include_str!("../../../std-adapter/src/guide/configuration.md");
    let (_, rest) = chapter.split_once("# A whole file").unwrap();
    let (_, rest) = rest.split_once("```toml\n").unwrap();
    let directory = Directory::new("guide");
    let file = directory.write("eio.toml", rest.split_once("```").unwrap().0);
    let (_server, address, _) = serve(&file, &["--port", "0"]);
    let answer = opening(&address, "/engine.io/");
    for header in
        ["strict-transport-security: max-age=63072000", "set-cookie: io=", "access-control-allow-credentials"]
    {
        assert!(answer.contains(header), "{header}: {answer}");
    }
    assert!(answer.contains("4welcome"), "{answer}");
}

/// The name of a file, its content, and what is wrong with it.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "a.toml",
        "path = '/a'\npingInterval = '5'\n",
        ":2: pingInterval: \"5\" has no unit: expected \"5s\", \"5ms\"",
    ),
    (
        "a.toml",
        "\npingInterval = 5.5\n",
        ":2: pingInterval: invalid type: floating point `5.5`, expected a time such as",
    ),
    (
        "a.toml",
        "pingIntervall = 5\n",
        ":1: pingIntervall: unknown member `pingIntervall`: did you mean `pingInterval`?",
    ),
    ("a.toml", "path = '/a'\nlisen = 'a:1'\n", ":2: lisen: unknown member `lisen`: did you mean `listen`?"),
    ("a.toml", "port = 80\n", ":1: port: unknown member `port`: did you mean `listen`?"),
    ("a.toml", "listen = '3000'\n", ":1: listen: \"3000\": expected HOST:PORT, such as 127.0.0.1:3000"),
    ("a.toml", "echo = true\necho = true\n", ":2: duplicate key"),
    (
        "a.toml",
        "pingInterval = 1\nping_interval = 1\n",
        ":2: ping_interval: `pingInterval` and `ping_interval` are two names",
    ),
    (
        "a.toml",
        "pingInterval = 1\n\n[heartbeat]\npingTimeout = 1\n",
        ":3: heartbeat: unknown member `heartbeat`: write `pingInterval` and `pingTimeout`",
    ),
    (
        "a.toml",
        "[cors]\norigins = [\n  'https://a.example',\n  'a.example',\n]\n",
        ":4: cors.origins[1]: \"a.example\" is not an origin: expected only",
    ),
    ("a.toml", "closeTimeout = '0s'\n", ":1: closeTimeout is too small: expected at least 1 ms"),
    ("a.toml", "pingTimeout = '30 days'\n", ": pingInterval + pingTimeout is above 2147483647 ms"),
    (
        "a.toml",
        "workers = 2000\n",
        ":1: workers: invalid value: integer `2000`, expected a number from 1 to 1024, without quotes",
    ),
    ("a.json", "{\"workers\": -1}", ":1: workers: invalid value: integer `-1`, expected a number from 1"),
    ("a.toml", "unixMode = 660\n", ":1: unixMode: invalid type: integer `660`, expected a string"),
    (
        "a.toml",
        "allowedHosts = ['a.example', '0.0.0.0']\n",
        ":1: allowedHosts[1]: \"0.0.0.0\": no client uses this host name",
    ),
    ("a.toml", "\n\npath = /a\n", ":3: "),
    ("a.toml", "path = 'a'\n", ":1: path: the path \"a/\" does not begin with a slash"),
    (
        "a.json",
        "{\n  \"cors\": {\n    \"origins\": [\n      \"https://a.example\",\n      5\n    ]\n  }\n}",
        ":5: cors.origins[1]: invalid type: integer `5`, expected an origin such as",
    ),
    ("a.json", "{\n  \"echo\": 1\n}", ":2: echo: invalid type: integer `1`, expected a boolean"),
    (
        "a.json",
        "{\n  \"echo\": true,\n  \"echo\": true\n}",
        ":3: echo: `echo` is given twice: expected it once",
    ),
    (
        "a.json",
        "{\n  \"path\": \"/a\",\n  \"path\": \"/a\"\n}",
        ":3: path: `path` is given twice: expected it once",
    ),
    ("a.json", "{\n  \"echo\": true,\n}", ":3: trailing comma"),
    ("a.json", "{}\n{}", ":2: trailing characters"),
    ("a.json", "[]", ":1: invalid type: sequence, expected a table with the settings of a server"),
    (
        "a.yaml",
        "path: /a\ncors:\n  origins:\n    - https://a.example\n    - a.example\n",
        ":5: cors.origins[1]: \"a.example\" is not an origin",
    ),
    (
        "a.yaml",
        "path: /a\nmaxSession: 5\n",
        ":2: maxSession: unknown member `maxSession`: did you mean `maxSessions`?",
    ),
    (
        "a.yaml",
        "path: /a\nmaxSessions: many\n",
        ":2: maxSessions: invalid type: string \"many\", expected a whole number without quotes, at least 1",
    ),
    (
        "a.yaml",
        "path: /a\nworkers: many\n",
        ":2: workers: invalid type: string \"many\", expected a number from 1 to 1024, without quotes",
    ),
    ("a.yaml", "path: /a\npath: /a\n", ":2: path: `path` is given twice: expected it once"),
    ("a.yaml", "path: [\n", ":1: path: expected string scalar"),
    ("a.yaml", "path: /a\n---\npath: /b\n", ":"),
    (
        "a.txt",
        "path = '/a'\n",
        ": the format is unknown: expected a name that ends in .toml, .yaml, .yml or .json",
    ),
    ("toml", "path = '/a'\n", ": the format is unknown"),
];

#[test]
fn each_mistake_is_named_with_file_line_member_and_what_was_expected() {
    let directory = Directory::new("mistakes");
    for &(name, text, expected) in MISTAKES {
        let file = directory.write(name, text);
        let sentence = mistake(&file);
        let found = sentence.strip_prefix(&file).unwrap_or_else(|| panic!("{sentence}"));
        assert!(found.starts_with(expected), "{text}\n  {found}\n  {expected}");
        assert!(!found.contains(" at line "), "{found}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_one_sentence() {
    let directory = Directory::new("unreadable");
    let missing = directory.file("missing.toml");
    assert_eq!(
        unreadable(&missing),
        format!("{missing}: cannot read the file: No such file or directory (os error 2)")
    );
    let folder = directory.file("folder.toml");
    fs::create_dir(&folder).unwrap();
    assert_eq!(unreadable(&folder), format!("{folder}: it is a directory: expected a file"));
    let bytes = directory.file("bytes.toml");
    fs::write(&bytes, b"path = '/a'\ncookie = '\xff'\n").unwrap();
    assert_eq!(unreadable(&bytes), format!("{bytes}: line 2 is not valid UTF-8"));
    let large = directory.write("large.toml", &"#".repeat(10_000_000));
    assert_eq!(unreadable(&large), format!("{large}: the file is too large: expected at most 1048576 bytes"));
    #[cfg(target_os = "linux")]
    {
        // This file refuses to be read, even by root.
        let broken = directory.file("broken.toml");
        std::os::unix::fs::symlink("/proc/self/mem", &broken).unwrap();
        assert!(
            unreadable(&broken).starts_with(&format!("{broken}: cannot read the file: Input/output error"))
        );
        let endless = directory.file("endless.toml");
        std::os::unix::fs::symlink("/dev/zero", &endless).unwrap();
        assert!(unreadable(&endless).contains("the file is too large"));
    }
}

#[test]
fn a_file_that_expands_or_nests_without_end_is_refused_soon() {
    let directory = Directory::new("bombs");
    let words = "x, ".repeat(1_000);
    let aliases = (0..10_000).map(|number| format!("  h{number}: *a\n")).collect::<Vec<_>>().concat();
    let laughs = "a: &a [lol, lol]\nb: &b [*a, *a]\nc: &c [*b, *b]\ncors: {origins: *c}\n";
    for (name, text) in [
        ("a.yaml", format!("responseHeaders:\n  a: &a [{words}]\n{aliases}")),
        ("b.yaml", laughs.to_owned()),
        ("c.yaml", "[".repeat(500_000)),
        ("c.json", "[".repeat(500_000)),
        ("d.json", "{\"cors\":".repeat(50_000)),
        ("c.toml", format!("cors = {}", "[".repeat(500_000))),
        ("d.toml", format!("{} = 1", "a.".repeat(200_000) + "a")),
    ] {
        let file = directory.write(name, &text);
        let sentence = mistake(&file);
        assert!(sentence.len() < 1_000, "{name}: {}", sentence.len());
    }
}
