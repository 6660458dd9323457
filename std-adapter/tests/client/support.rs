//! Servers for the client's tests: our own, and scripted ones that misbehave as told.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use eio_tokio::{
    Client, ClientBuilder, ClientEvent, ConnectError, Listener, Message, Server, ServerBuilder, Socket,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::watch::watch_sessions;

/// Sends every message back.
pub(crate) async fn echo(mut socket: Socket) {
    while let Ok(message) = socket.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
}

/// Runs a server, and returns where.
pub(crate) async fn serve(builder: ServerBuilder) -> (Server, SocketAddr) {
    serve_over(builder, |listener| listener).await
}

/// Runs a server on what `over` makes of its listener, and returns where.
pub(crate) async fn serve_over<L: Listener + 'static>(
    builder: ServerBuilder,
    over: impl FnOnce(TcpListener) -> L,
) -> (Server, SocketAddr) {
    watch_sessions();
    let server = builder.build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (handle, listener) = (server.clone(), over(listener));
    tokio::spawn(async move { handle.serve(listener).await });
    (server, address)
}

/// Runs a server that hands all messages to the test, and returns where.
pub(crate) async fn collecting() -> (Server, SocketAddr, mpsc::UnboundedReceiver<Message>) {
    let (received, messages) = mpsc::unbounded_channel();
    let collect = move |mut socket: Socket| {
        let received = received.clone();
        async move {
            while let Ok(message) = socket.recv().await {
                let _ = received.send(message);
            }
        }
    };
    let (server, address) = serve(Server::builder(collect)).await;
    (server, address, messages)
}

/// The ways to carry a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Polling,
    WebSocket,
    Upgrade,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Polling, Self::WebSocket, Self::Upgrade];

    pub(crate) fn client(self, address: SocketAddr) -> ClientBuilder {
        match self {
            Self::Polling => Client::builder(format!("http://{address}")).upgrade(false),
            Self::WebSocket => Client::builder(format!("ws://{address}")),
            Self::Upgrade => Client::builder(format!("http://{address}")),
        }
    }
}

/// Collects a client's events.
#[derive(Clone, Default)]
pub(crate) struct Events(Arc<Mutex<Vec<ClientEvent>>>);

impl Events {
    pub(crate) fn watch(&self, builder: ClientBuilder) -> ClientBuilder {
        let events = self.clone();
        builder.on_event(move |event| events.0.lock().unwrap().push(event))
    }

    pub(crate) fn all(&self) -> Vec<ClientEvent> {
        self.0.lock().unwrap().clone()
    }

    /// Waits for an event of which `pick` makes something.
    pub(crate) async fn wait_for<T>(&self, mut pick: impl FnMut(&ClientEvent) -> Option<T>) -> T {
        loop {
            if let Some(found) = self.all().iter().find_map(&mut pick) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// One connection to a scripted server.
pub(crate) struct Raw<S = TcpStream>(pub(crate) S);

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// Reads a request up to the end of its body; empty when there is none.
    pub(crate) async fn request(&mut self) -> String {
        let (head, mut body) = self.head().await;
        let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        let missing = length - body.len();
        body.resize(length, 0);
        self.0.read_exact(&mut body[length - missing..]).await.unwrap();
        head + &String::from_utf8_lossy(&body)
    }

    /// Reads a request's head, and as much of its body as came with it.
    pub(crate) async fn head(&mut self) -> (String, Vec<u8>) {
        let mut request = Vec::new();
        loop {
            if let Some(at) = request.windows(4).position(|window| window == b"\r\n\r\n") {
                let body = request.split_off(at + 4);
                return (String::from_utf8_lossy(&request).to_string(), body);
            }
            if self.0.read_buf(&mut request).await.unwrap_or(0) == 0 {
                return (String::new(), Vec::new());
            }
        }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// An answer with a body.
    pub(crate) async fn answer(&mut self, status: &str, body: &str) {
        self.write(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
    }

    /// Accepts the WebSocket that `request` asks for.
    pub(crate) async fn switch_protocols(&mut self, request: &str) {
        let key = header(request, "sec-websocket-key").unwrap();
        let accept = eio_core::ws::Key::parse(key.as_bytes()).unwrap().accept();
        let accept = core::str::from_utf8(&accept).unwrap();
        self.write(format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ))
        .await;
    }

    /// A short text frame.
    pub(crate) async fn text(&mut self, text: &str) {
        let mut frame = vec![0; text.len() + 14];
        let frame_len =
            eio_core::ws::encode_message(eio_core::packet::WebSocketMessage::Text(text), None, &mut frame)
                .unwrap();
        self.write(&frame[..frame_len]).await;
    }

    /// The next frame's payload as text, unmasked; `None` at a close frame or the end of the stream.
    pub(crate) async fn frame(&mut self) -> Option<String> {
        let (opcode, payload) = self.any_frame().await?;
        (opcode != 8).then(|| String::from_utf8_lossy(&payload).to_string())
    }

    /// The next frame's opcode and its payload, unmasked; `None` at the end of the stream.
    pub(crate) async fn any_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).await.ok()?;
        assert!(head[1] & 0x80 != 0, "a client's frames are masked");
        let length = match head[1] & 0x7f {
            126 => usize::from(self.0.read_u16().await.ok()?),
            127 => usize::try_from(self.0.read_u64().await.ok()?).unwrap(),
            short => usize::from(short),
        };
        let mut key = [0; 4];
        self.0.read_exact(&mut key).await.ok()?;
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.ok()?;
        eio_core::ws::mask(&mut payload, key, 0);
        Some((head[0] & 0x0f, payload))
    }
}

/// A header's value.
pub(crate) fn header(request: &str, name: &str) -> Option<String> {
    request.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// A server that gives every connection to `script`.
pub(crate) async fn scripted<F, R>(script: F) -> SocketAddr
where
    F: Fn(Raw) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    watch_sessions();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(script(Raw(stream)));
        }
    });
    address
}

/// What the connections of a scripted server note for the test.
pub(crate) type Notes<T> = Arc<Mutex<Vec<T>>>;

/// A server that gives every connection to `script`, and what it notes.
pub(crate) async fn noting<T, F, R>(script: F) -> (SocketAddr, Notes<T>)
where
    T: Send + 'static,
    F: Fn(Raw, Notes<T>) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let notes = Notes::default();
    let handed = Arc::clone(&notes);
    let address = scripted(move |raw| script(raw, Arc::clone(&handed))).await;
    (address, notes)
}

/// Checks that a client whose server never answers ends its connection with the open timeout, and with the future that
/// is dropped. The server says when a connection has `ended`.
pub(crate) async fn assert_gives_up(client: ClientBuilder, ended: &mut mpsc::UnboundedReceiver<()>) {
    let client = client.open_timeout(Duration::from_secs(3)).build().unwrap();
    let begin = Instant::now();
    let error = client.connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout), "{error:?}");
    assert!(begin.elapsed() >= Duration::from_secs(3) && begin.elapsed() < Duration::from_secs(4));
    ended.recv().await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(1), client.connect()).await.is_err());
    ended.recv().await.unwrap();
}

/// An open packet with these periods.
pub(crate) fn open_packet(ping_interval: u32, ping_timeout: u32, upgrades: &str) -> String {
    format!(
        r#"0{{"sid":"Qd3cV1abcdefghij0123","upgrades":[{upgrades}],"pingInterval":{ping_interval},"pingTimeout":{ping_timeout},"maxPayload":1000000}}"#
    )
}
