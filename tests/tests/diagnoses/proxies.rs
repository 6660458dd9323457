//! nginx, HAProxy and tinyproxy, each with a configuration of its own.

use core::net::SocketAddr;

use eio_tests::interop::{Daemon, Folder, Log, free_port};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::Command;

/// A running proxy. Dropping it kills the program.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    folder: Folder,
    daemon: Daemon,
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
            let _ = folder.write(name, text);
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
            let _ = folder.write(name, text);
        }
        let path = folder.path().display();
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
        let config = documented(page, who, (&folder, port), change);
        let command = if who == "nginx" {
            Self::nginx_command(&folder, &config)
        } else {
            Self::haproxy_command(&folder, &config)
        };
        Self::start(command, who, port, folder, log).await
    }

    /// Gives nginx another change of the documented configuration, and lets it read that, as `nginx -s reload` does.
    pub(crate) fn reload_nginx(&self, page: &str, change: impl Fn(&str) -> String) {
        let config = documented(page, "nginx", (&self.folder, self.port), change);
        drop(Self::nginx_command(&self.folder, &config));
        self.daemon.signal("HUP");
    }

    /// Gives a command to the documented HAProxy, on its socket.
    pub(crate) async fn command_haproxy(&self, command: &str) {
        let socket = UnixStream::connect(self.folder.path().join("admin.sock")).await;
        let mut socket = socket.expect("HAProxy listens on its socket");
        socket.write_all(format!("{command}\n").as_bytes()).await.expect("HAProxy reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.expect("HAProxy answers");
        assert_eq!(answer.trim(), "", "{command}");
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
            "daemon off;\npid nginx.pid;\nerror_log stderr;\nevents {{ worker_connections 512; }}\n\
             http {{\naccess_log off;\n{temporary}{http}\n}}\n"
        );
        let file = folder.write("nginx.conf", &config);
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder.path()).arg("-c").arg(file).args(["-e", "stderr"]);
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

    async fn start(command: Command, who: &'static str, port: u16, folder: Folder, log: &Log) -> Self {
        let daemon = Daemon::start(command, who, port, log).await;
        Self { port, folder, daemon }
    }

    /// The URL of the proxy, with this scheme and path.
    pub(crate) fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://127.0.0.1:{}{path}", self.port)
    }
}

/// A block of a page about HAProxy or nginx, with this port in the place of port 80 and files of this folder.
fn documented(
    page: &str,
    who: &str,
    (folder, port): (&Folder, u16),
    change: impl Fn(&str) -> String,
) -> String {
    let (_, block) = page.split_once(&format!("```{who}\n")).expect("the page has such a block");
    let (block, _) = block.split_once("```").expect("the block ends");
    let socket = format!("stats socket {} level admin", folder.path().join("admin.sock").display());
    let config = change(block)
        .replace("listen 80;", &format!("listen 127.0.0.1:{port};"))
        .replace("bind :80", &format!("bind 127.0.0.1:{port}"))
        .replace("stats socket /run/haproxy/admin.sock mode 660 level admin", &socket);
    assert!(config.contains(&format!("127.0.0.1:{port}")), "{config}");
    config
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
