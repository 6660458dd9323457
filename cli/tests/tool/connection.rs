//! How `eio connect` reaches a server: redirects and proxies. Nothing that it prints shows the secrets of a URL.

use std::fs;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc;

use crate::peer::{read_head, redirecting};
use crate::program::Eio;

/// A directory for one test, which removes it at its end.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("eio-tool-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).unwrap();
        self.file(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Starts a server on this machine, and returns its port.
pub(crate) fn serve() -> (Eio, u16) {
    let mut server =
        Eio::start(&["serve", "--json", "--echo", "--listen", "127.0.0.1:0", "--host", "app.example"]);
    let address = server.event("listening")["address"].as_str().unwrap().to_owned();
    (server, address.rsplit_once(':').unwrap().1.parse().unwrap())
}

/// Sends a line, receives it, and ends the client.
pub(crate) fn echoes(client: &mut Eio) {
    client.event("open");
    client.say("hello");
    assert_eq!(client.event("message")["data"], "hello");
    client.interrupt();
    assert_eq!(client.exit_code(), 0);
}

/// Returns the end of the output of a client that opens no session and exits with `code`.
pub(crate) fn sentence(arguments: &[&str], code: i32) -> String {
    let mut client = Eio::start(&[&["connect"], arguments].concat());
    assert_eq!(client.exit_code(), code, "{arguments:?}: {:?}", client.rest());
    client.ending() + &client.errors()
}

/// Starts a proxy whose tunnels all lead to `port` of this machine. Returns its address, and the heads of the requests to
/// it.
fn proxy_to(port: u16) -> (String, mpsc::Receiver<String>) {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap().to_string();
    let (sender, heads) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in proxy.incoming() {
            let client = stream.unwrap();
            sender.send(read_head(&mut BufReader::new(&client))).unwrap();
            open_tunnel(client, port);
        }
    });
    (address, heads)
}

/// Grants a request for a tunnel, which leads to `port` of this machine.
fn open_tunnel(mut client: TcpStream, port: u16) {
    let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    std::thread::spawn(move || std::io::copy(&mut client, &mut server));
}

#[test]
fn the_environment_chooses_the_proxy_for_the_url_of_a_redirect() {
    let (_server, port) = serve();
    let redirecting_to = |host: &str| {
        let location = format!("Location: http://{host}:{port}/engine.io/");
        redirecting(&format!("HTTP/1.1 307 x\r\nContent-Length: 0\r\n{location}\r\n\r\n"))
    };
    let connect = |url: &str, proxy: &str| {
        let arguments = ["connect", "--json", "--follow-redirects", "--transport", "polling", url];
        let mut client = Eio::start_with(&arguments, |command| {
            command.env("http_proxy", proxy);
        });
        client.event("redirected");
        echoes(&mut client);
    };
    // A redirect from this machine, which needs no proxy, to a host that needs one.
    let (proxy, heads) = proxy_to(port);
    connect(&redirecting_to("app.example"), &proxy);
    let head = heads.try_recv().expect("the new URL is asked for through the proxy");
    assert!(head.starts_with(&format!("CONNECT app.example:{port} ")), "{head}");
    // A redirect from a host that needs a proxy to this machine.
    let old = redirecting_to("127.0.0.1");
    let (proxy, heads) = proxy_to(old.rsplit_once(':').unwrap().1.parse().unwrap());
    connect("http://old.example/", &proxy);
    let head = heads.try_recv().unwrap();
    assert!(head.starts_with("CONNECT old.example:80 "), "{head}");
    assert_eq!(heads.try_recv().ok(), None, "this machine is reached without a proxy");
}

#[test]
fn a_proxy_is_taken_from_the_option_or_the_environment_and_named() {
    let (_server, port) = serve();
    let (address, heads) = proxy_to(port);
    let target = format!("ws://app.example:{port}/?token=hidden");
    let url = format!("http://ann:secret@{address}");
    let environment = |name: &'static str| {
        let url = url.clone();
        move |command: &mut std::process::Command| {
            command.env(name, url);
        }
    };
    let clients = [
        Eio::start(&["connect", "--json", "--proxy", &url, &target]),
        Eio::start_with(&["connect", "--json", &target], environment("ALL_PROXY")),
        Eio::start_with(&["connect", "--json", &target], environment("http_proxy")),
    ];
    for mut client in clients {
        let connecting = client.event("connecting");
        assert_eq!(connecting["proxy"], *address);
        assert_eq!(connecting["url"], format!("ws://app.example:{port}/?token=…"));
        echoes(&mut client);
        let head = heads.recv().unwrap();
        assert!(head.starts_with(&format!("CONNECT app.example:{port} HTTP/1.1\r\n")), "{head}");
        assert!(head.to_ascii_lowercase().contains("proxy-authorization: basic "), "{head}");
    }
    // This machine is reached without the proxy, and so is every host with --proxy none.
    let mut client =
        Eio::start_with(&["connect", "--json", &format!("ws://127.0.0.1:{port}")], environment("ALL_PROXY"));
    assert!(client.event("connecting")["proxy"].is_null());
    echoes(&mut client);
    let mut client =
        Eio::start_with(&["connect", "--json", "--proxy", "none", &target], environment("ALL_PROXY"));
    assert!(client.event("connecting")["proxy"].is_null());
}

#[test]
fn a_session_through_a_proxy_that_no_longer_reaches_the_server_is_told_from_one_whose_proxy_is_gone() {
    for (refusal, diagnosis, look) in [
        (Some("503 Service Unavailable"), "bad-gateway", "answered by a proxy"),
        (None, "proxy-unreachable", "no connection to the proxy"),
    ] {
        let (_server, port) = serve();
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", proxy.local_addr().unwrap());
        let (end, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let (client, _) = proxy.accept().unwrap();
            read_head(&mut BufReader::new(&client));
            open_tunnel(client.try_clone().unwrap(), port);
            // A proxy that does not refuse is gone before the session ends.
            let refusing = refusal.map(|status| (proxy, status));
            let () = ended.recv().unwrap();
            client.shutdown(Shutdown::Both).unwrap();
            if let Some((proxy, status)) = refusing {
                let (mut client, _) = proxy.accept().unwrap();
                read_head(&mut BufReader::new(&client));
                write!(client, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").unwrap();
            }
        });
        let arguments = ["connect", "--json", "--proxy", &url, "ws://app.example"];
        let mut client = Eio::start(&arguments);
        client.event("open");
        end.send(()).unwrap();
        let close = client.event("close");
        assert_eq!(
            (&close["diagnosis"], &close["second_look"]),
            (&diagnosis.into(), &look.into()),
            "{close}"
        );
        assert_eq!(client.exit_code(), 6);
    }
}

#[test]
fn a_proxy_that_fails_is_explained_with_what_to_try() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    std::thread::spawn(move || {
        for status in ["407 Proxy Authentication Required", "403 Forbidden"] {
            let (mut stream, _) = proxy.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    let explained = sentence(&["--proxy", &url, "wss://app.example"], 3);
    assert!(
        explained.contains("Pass them in the URL of the proxy: --proxy http://USER:PASSWORD@"),
        "{explained}"
    );
    let explained = sentence(&["--proxy", &url, "wss://app.example"], 3);
    assert!(
        explained.contains("refused the tunnel: status 403 Forbidden.")
            && explained.contains("proxy-refuses-tunnel: "),
        "{explained}"
    );
    let mut client = Eio::start(&["connect", "--proxy", "socks5://ann:secret@h", "http://h"]);
    assert_eq!(client.exit_code(), 2);
    let errors = client.errors();
    assert!(errors.contains("the only kind of proxy") && !errors.contains("secret"), "{errors}");
}

#[test]
fn the_output_shows_neither_user_nor_password_nor_token() {
    let (_server, port) = serve();
    for more in [&["--json"][..], &[]] {
        let url = format!("ws://visitor-name:secret-word@127.0.0.1:{port}/?token=hidden-word");
        let mut client = Eio::start(&[&["connect", &url], more].concat());
        let connecting = client.line();
        assert!(connecting.contains(&format!("ws://…@127.0.0.1:{port}/?token=…")), "{connecting}");
        client.line();
        client.interrupt();
        assert_eq!(client.exit_code(), 0);
        let printed = connecting + &client.rest().concat() + &client.errors();
        assert!(
            !printed.contains("secret-word")
                && !printed.contains("hidden-word")
                && !printed.contains("visitor-name"),
            "{printed}"
        );
    }
}
