//! The ways to a server: Unix sockets, proxies, TLS; and that nothing shows the secrets of a URL.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::peer::redirecting;
use crate::program::Eio;

/// A directory of its own, gone with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("eio-tool-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).unwrap();
        self.file(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server on this machine, and its port.
fn serve() -> (Eio, u16) {
    let mut server =
        Eio::start(&["serve", "--json", "--echo", "--listen", "127.0.0.1:0", "--host", "app.example"]);
    let address = server.event("listening")["address"].as_str().unwrap().to_owned();
    (server, address.rsplit_once(':').unwrap().1.parse().unwrap())
}

/// Sends a line and gets it back.
fn echoes(client: &mut Eio) {
    client.event("open");
    client.say("hello");
    assert_eq!(client.event("message")["data"], "hello");
    client.interrupt();
    assert_eq!(client.exit_code(), 0);
}

/// The last line of a client that does not get a session, which exits with `code`.
fn sentence(arguments: &[&str], code: i32) -> String {
    let mut client = Eio::start(&[&["connect"], arguments].concat());
    assert_eq!(client.exit_code(), code, "{arguments:?}: {:?}", client.rest());
    client.rest().pop().unwrap_or_default() + &client.errors()
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    fn mode(path: &str) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_unix_socket_is_served_connected_to_and_removed() {
        let directory = Directory::new("unix");
        let path = directory.file("s");
        let mut server = Eio::start(&["serve", "--json", "--echo", "--unix", &path]);
        let listening = server.event("listening");
        assert_eq!(listening["unix"], *path);
        assert!(listening["url"].is_null() && listening["address"].is_null(), "{listening}");
        assert_eq!(mode(&path), 0o600);
        for more in [&[][..], &["ws://localhost"], &["--transport", "polling", "http://localhost"]] {
            let mut client = Eio::start(&[&["connect", "--json", "--unix", &path], more].concat());
            assert_eq!(client.event("connecting")["unix"], *path);
            echoes(&mut client);
        }
        server.interrupt();
        assert_eq!(server.exit_code(), 0);
        assert!(!Path::new(&path).exists());
        assert!(sentence(&["--unix", &path], 3).contains(&path));
    }

    #[test]
    fn the_first_line_names_the_socket_and_its_permissions_are_as_told() {
        let directory = Directory::new("mode");
        let path = directory.file("s");
        let mut server = Eio::start(&["serve", "--unix", &path, "--unix-mode", "660"]);
        let line = server.line();
        assert!(line.starts_with(&format!("eio listens on the Unix socket {path}, sessions at ")), "{line}");
        assert_eq!(mode(&path), 0o660);
    }

    #[test]
    fn a_file_that_is_left_over_is_replaced_and_nothing_else_is() {
        let directory = Directory::new("stale");
        let path = directory.file("s");
        drop(UnixListener::bind(&path).unwrap());
        assert!(fs::metadata(&path).unwrap().file_type().is_socket());
        let mut server = Eio::start(&["serve", "--json", "--unix", &path]);
        server.event("listening");
        UnixStream::connect(&path).unwrap();

        let refused = |path: &str| {
            let mut other = Eio::start(&["serve", "--unix", path]);
            assert_eq!(other.exit_code(), 2);
            other.errors()
        };
        let errors = refused(&path);
        assert!(errors.contains("is taken by another program"), "{errors}");
        UnixStream::connect(&path).unwrap();
        let errors = refused(&directory.write("text", "precious"));
        assert!(errors.contains("exists and is not a socket"), "{errors}");
        assert_eq!(fs::read_to_string(directory.file("text")).unwrap(), "precious");
        let errors = refused(&directory.file("no/such/s"));
        assert!(errors.contains("the directory of") && errors.contains("does not exist"), "{errors}");
        let errors = refused(&directory.file(&"s".repeat(200)));
        assert!(errors.contains("too long for a Unix socket"), "{errors}");
    }

    #[test]
    fn of_servers_that_start_at_once_on_a_file_that_is_left_over_one_listens() {
        let directory = Directory::new("race");
        let path = directory.file("s");
        for _ in 0..8 {
            drop(UnixListener::bind(&path).unwrap());
            let mut servers = [(); 4].map(|()| Eio::start(&["serve", "--unix", &path]));
            let listening: Vec<&mut Eio> =
                servers.iter_mut().filter_map(|server| server.line_or_end().map(|_| server)).collect();
            let [server] = &mut listening.into_iter().collect::<Vec<_>>()[..] else {
                panic!("another number than one listens");
            };
            UnixStream::connect(&path).unwrap();
            server.interrupt();
            assert_eq!(server.exit_code(), 0);
            assert!(!Path::new(&path).exists());
        }
    }

    #[test]
    fn the_file_of_another_server_that_took_the_place_stays() {
        let directory = Directory::new("taken");
        let path = directory.file("s");
        let mut server = Eio::start(&["serve", "--json", "--unix", &path]);
        server.event("listening");
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        server.interrupt();
        assert_eq!(server.exit_code(), 0);
        UnixStream::connect(&path).unwrap();
    }
}

/// TLS in front of another port of this machine.
struct Front {
    port: u16,
    /// The certificate of the authority, and of the server, in PEM form.
    authority: String,
    own: String,
}

impl Front {
    /// With a certificate for `localhost`, by an authority of its own or by itself.
    fn start(to: u16, is_self_signed: bool) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "An authority of our own");
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let own =
            if is_self_signed { params.self_signed(&key) } else { params.signed_by(&key, &issuer) }.unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(relay(listener, TlsAcceptor::from(Arc::new(config)), to));
        });
        Self { port, authority: root.pem(), own: own.pem() }
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}", self.port)
    }
}

async fn relay(listener: TcpListener, acceptor: TlsAcceptor, to: u16) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut server = tokio::net::TcpStream::connect(("127.0.0.1", to)).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
        });
    }
}

#[test]
fn a_private_authority_is_trusted_with_its_file() {
    let (_server, port) = serve();
    let front = Front::start(port, false);
    let directory = Directory::new("ca");
    let ca = directory.write("ca.pem", &front.authority);
    for scheme in ["https", "wss"] {
        echoes(&mut Eio::start(&["connect", "--json", "--ca", &ca, &front.url(scheme)]));
        let told = sentence(&[&front.url(scheme)], 3);
        assert!(told.contains("signed by an authority that is not trusted; --ca FILE trusts"), "{told}");
    }
}

#[test]
fn a_self_signed_certificate_is_trusted_with_its_file_or_without_a_check() {
    let (_server, port) = serve();
    let front = Front::start(port, true);
    let directory = Directory::new("self");
    let ca = directory.write("own.pem", &front.own);
    let url = front.url("wss");
    echoes(&mut Eio::start(&["connect", "--json", "--ca", &ca, &url]));
    let told = sentence(&[&url], 3);
    assert!(told.contains("certificate is self-signed") && told.contains("--ca FILE"), "{told}");
    assert!(!told.contains("CaUsedAsEndEntity"), "{told}");

    let mut client = Eio::start(&["connect", "--json", "--insecure", &url]);
    echoes(&mut client);
    let errors = client.errors();
    assert!(errors.contains("--insecure: the server's certificate is not checked"), "{errors}");
}

#[test]
fn a_certificate_file_that_cannot_be_used_is_one_sentence_and_code_2() {
    let directory = Directory::new("files");
    let files = [
        (directory.file("missing"), "cannot be read: No such file"),
        (directory.write("empty", " \n"), "is empty"),
        (directory.write("text", "hello"), "there is no -----BEGIN CERTIFICATE----- in it"),
        (
            directory.write("broken", "-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n"),
            "not PEM as it",
        ),
        (directory.write("half", "-----BEGIN CERTIFICATE-----\nAAAA\n"), "not PEM as it"),
        (
            directory.write("other", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            "there is no",
        ),
        (
            directory.write("nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "cannot be used",
        ),
    ];
    for (file, expected) in &files {
        let mut client = Eio::start(&["connect", "--ca", file, "https://localhost"]);
        assert_eq!(client.exit_code(), 2, "{file}");
        let errors = client.errors();
        assert!(errors.starts_with("eio: --ca: ") && errors.contains(expected), "{errors}");
        assert!(errors.contains(file.as_str()), "{errors}");
        assert_eq!(errors.lines().count(), 2, "{errors}");
    }
    for option in [&["--ca", "f"][..], &["--insecure"]] {
        let mut client = Eio::start(&[&["connect", "http://localhost"], option].concat());
        assert_eq!(client.exit_code(), 2);
        assert!(client.errors().contains("is about TLS: expected https:// or wss://"));
    }
}

#[test]
fn the_wrong_scheme_for_a_port_is_told_as_that() {
    let (_server, port) = serve();
    let front = Front::start(port, false);
    for scheme in ["http", "ws"] {
        let told = sentence(&[&front.url(scheme)], 3);
        assert!(told.contains("the server speaks TLS on this port: expected https or wss"), "{told}");
    }
    for scheme in ["https", "wss"] {
        let told = sentence(&[&format!("{scheme}://localhost:{port}")], 3);
        assert!(told.contains("the server does not speak TLS on this port: expected http or ws"), "{told}");
    }
    // As nginx tells it.
    let nginx = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nginx.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = nginx.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        let body = "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n</html>";
        write!(stream, "HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    let told = sentence(&[&url], 4);
    assert!(told.contains("the server speaks TLS on this port: expected https or wss"), "{told}");
}

/// A proxy that leads to `port` of this machine, wherever it is told to connect. Returns its address, and the heads of
/// the requests to it.
fn proxy_to(port: u16) -> (String, mpsc::Receiver<String>) {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap().to_string();
    let (sender, heads) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in proxy.incoming() {
            let mut client = stream.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            sender.send(String::from_utf8(head).unwrap()).unwrap();
            let mut server = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || std::io::copy(&mut client, &mut server));
        }
    });
    (address, heads)
}

#[test]
fn a_redirect_goes_by_the_environments_rules_for_its_own_url() {
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
    // From this machine, which needs no proxy, to a host that does.
    let (proxy, heads) = proxy_to(port);
    connect(&redirecting_to("app.example"), &proxy);
    let head = heads.try_recv().expect("the new URL is asked for through the proxy");
    assert!(head.starts_with(&format!("CONNECT app.example:{port} ")), "{head}");
    // The other way round.
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
    // This machine is reached without it, and so is everything that is told not to use it.
    let mut client =
        Eio::start_with(&["connect", "--json", &format!("ws://127.0.0.1:{port}")], environment("ALL_PROXY"));
    assert!(client.event("connecting")["proxy"].is_null());
    echoes(&mut client);
    let mut client =
        Eio::start_with(&["connect", "--json", "--proxy", "none", &target], environment("ALL_PROXY"));
    assert!(client.event("connecting")["proxy"].is_null());
}

#[test]
fn a_proxy_that_fails_is_told_with_what_to_try() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    std::thread::spawn(move || {
        for status in ["407 Proxy Authentication Required", "403 Forbidden"] {
            let (mut stream, _) = proxy.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    let told = sentence(&["--proxy", &url, "wss://app.example"], 3);
    assert!(told.contains("the proxy wants user and password; --proxy http://USER:PASSWORD@"), "{told}");
    let told = sentence(&["--proxy", &url, "wss://app.example"], 3);
    assert!(told.contains("refused the tunnel: status 403 Forbidden; does the proxy reach"), "{told}");
    let mut client = Eio::start(&["connect", "--proxy", "socks5://ann:secret@h", "http://h"]);
    assert_eq!(client.exit_code(), 2);
    let errors = client.errors();
    assert!(errors.contains("the only kind of proxy") && !errors.contains("secret"), "{errors}");
}

#[test]
fn nothing_that_is_printed_shows_user_password_or_token() {
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
