//! nginx, HAProxy and tinyproxy, each with a configuration of its own.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use core::time::Duration;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;

use eio_tests::interop::{Log, PATIENCE};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// A running proxy. Dropping it kills the program and removes its folder.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    _folder: Folder,
    _child: Child,
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Proxy {
    /// Starts nginx. `http` is for the block of that name, and `server` for its one server.
    pub(crate) async fn nginx(http: &str, server: &str, log: &Log) -> Self {
        Self::nginx_with(&[], http, server, log).await
    }

    /// Starts nginx beside these files, to which its configuration may refer by their names.
    pub(crate) async fn nginx_with(files: &[(&str, &str)], http: &str, server: &str, log: &Log) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        for (name, text) in files {
            std::fs::write(folder.0.join(name), text).expect("a folder of one's own");
        }
        let listen = if server.contains("ssl_certificate") { "ssl" } else { "" };
        let http = format!("{http}\nserver {{\nlisten 127.0.0.1:{port} {listen};\n{server}\n}}");
        let command = Self::nginx_command(&folder, &http);
        Self::start(command, "nginx", port, folder, log).await
    }

    /// Starts HAProxy. `defaults` comes after usual ones, which it overrides, and `rest` follows the line of a frontend that
    /// says where it listens.
    pub(crate) async fn haproxy(defaults: &str, rest: &str, log: &Log) -> Self {
        Self::haproxy_with(&[], "", defaults, rest, log).await
    }

    /// Starts HAProxy beside these files. `bind` is added to the line that says where it listens.
    pub(crate) async fn haproxy_with(
        files: &[(&str, &str)],
        bind: &str,
        defaults: &str,
        rest: &str,
        log: &Log,
    ) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        for (name, text) in files {
            std::fs::write(folder.0.join(name), text).expect("a folder of one's own");
        }
        let path = folder.0.display();
        let config = format!(
            "global\n    maxconn 100\n    default-path origin {path}\ndefaults\n    mode http\n    timeout connect 5s\n    \
             timeout client 60s\n    timeout server 60s\n    {defaults}\nfrontend front\n    bind 127.0.0.1:{port} {bind}\n{rest}\n"
        );
        Self::start(Self::haproxy_command(&folder, &config), "haproxy", port, folder, log).await
    }

    /// Starts HAProxy or nginx with this block of a page about it, in which port 80 stands for a free one.
    pub(crate) async fn documented(
        page: &str,
        who: &'static str,
        change: impl Fn(&str) -> String,
        log: &Log,
    ) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let (_, block) = page.split_once(&format!("```{who}\n")).expect("the page has such a block");
        let (block, _) = block.split_once("```").expect("the block ends");
        let config = change(block);
        let command = if who == "nginx" {
            let config = config.replace("listen 80;", &format!("listen 127.0.0.1:{port};"));
            assert_ne!(config, block);
            Self::nginx_command(&folder, &config)
        } else {
            let config = config.replace("bind :80", &format!("bind 127.0.0.1:{port}"));
            Self::haproxy_command(&folder, &config)
        };
        Self::start(command, who, port, folder, log).await
    }

    /// The command that runs HAProxy with this configuration.
    fn haproxy_command(folder: &Folder, config: &str) -> Command {
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f"]).arg(folder.write("haproxy.cfg", config));
        command
    }

    /// The command that runs nginx with this content of its block `http`.
    fn nginx_command(folder: &Folder, http: &str) -> Command {
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|name| format!("{name}_temp_path {name};\n")).concat();
        let config = format!(
            "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr;\nevents {{ worker_connections 64; }}\n\
             http {{\naccess_log off;\n{temporary}{http}\n}}\n"
        );
        let file = folder.write("nginx.conf", &config);
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&folder.0).arg("-c").arg(file).args(["-e", "stderr"]);
        command
    }

    /// Starts tinyproxy, a proxy that clients ask for tunnels.
    pub(crate) async fn tinyproxy(rules: &str, log: &Log) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let config = format!("Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\n{rules}\n");
        let file = folder.write("tinyproxy.conf", &config);
        let mut command = Command::new("tinyproxy");
        command.args(["-d", "-c"]).arg(file);
        Self::start(command, "tinyproxy", port, folder, log).await
    }

    async fn start(mut command: Command, who: &'static str, port: u16, folder: Folder, log: &Log) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{who} is not installed: {error}"));
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe was asked for")).lines();
        let log_of_lines = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                log_of_lines.line(who, &line);
            }
        });
        let listens = async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            status = child.wait() => panic!("{who} ended: {status:?}"),
            listens = tokio::time::timeout(PATIENCE, listens) => listens.expect("it listens soon"),
        }
        Self { port, _folder: folder, _child: child }
    }

    /// The URL of the proxy, with this scheme and path.
    pub(crate) fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://127.0.0.1:{}{path}", self.port)
    }
}

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("eio-diagnoses-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a folder of one's own");
        path
    }
}

/// A port below those that the system chooses, so that nobody gets it before the proxy listens.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 20_000 + u16::try_from(std::process::id() % 100).expect("a small number") * 100;
    loop {
        let port = base + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The part of nginx's configuration that passes everything on, WebSockets too, to an upstream called `engine`.
pub(crate) const PASS_ON: &str = "location / { proxy_pass http://engine; proxy_http_version 1.1; \
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }";

/// An upstream of nginx called `engine`.
pub(crate) fn upstream(servers: &[SocketAddr]) -> String {
    let servers: Vec<_> = servers.iter().map(|server| format!("server {server};")).collect();
    let servers = servers.concat();
    format!("upstream engine {{ {servers} }}")
}

/// A backend of HAProxy with these servers, and the frontend's line that chooses it.
pub(crate) fn backend(servers: &[SocketAddr], options: &str) -> String {
    let servers: Vec<_> = servers
        .iter()
        .enumerate()
        .map(|(number, server)| format!("    server s{number} {server} {options}\n"))
        .collect();
    let servers = servers.concat();
    format!("    default_backend engine\nbackend engine\n{servers}")
}
