//! The tokio client, and a server that answers what it likes.

mod seeds;

use core::time::Duration;
use std::sync::atomic::{AtomicBool, Ordering};

use eio_core::DisconnectReason;
use eio_core::packet::WebSocketMessage;
use eio_core::upgrade::UpgradeOutcome;
use eio_core::ws::opening::{Opening, RequestHead};
use eio_core::ws::{self, FrameHeader, OpCode};
use eio_tokio::test_util::{Network, NetworkListener, NetworkStream};
use eio_tokio::{Client, ClientEvent, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use crate::reached;
use crate::script::{Script, Steps, in_virtual_time};

pub(crate) use seeds::seeds;

/// Longer than any period that a server can ask for, and all other limits of the client together.
const FOR_EVER: Duration = Duration::from_hours(60 * 24);

/// How scripts are read.
pub(crate) const STEPS: Steps = Steps { numbers: &[(b't', 1), (b'B', 2)], bytes: b"ofw" };

/// What scripts reach.
pub(crate) const MILESTONES: &[&str] = &[
    "opened",
    "upgraded",
    "a message after a failed upgrade",
    "a request after an answered post",
    "redirected",
    "a cookie",
    "the next transport",
    "a message of 16 KiB",
    "the end of a silent server's session",
    "the end of a session that nobody reads",
];

/// The bits of the settings.
const EIO3: u8 = 1;
const NO_UPGRADE: u8 = 1 << 1;
const WEBSOCKET: u8 = 1 << 2;
const LIMITS: u8 = 1 << 3;
const TRY_ALL: u8 = 1 << 4;
const FOLLOW: u8 = 1 << 5;
const SMALL_BUFFER: u8 = 1 << 6;
const SLEEPS: u8 = 1 << 7;

/// How long the application sleeps in some settings: longer than the server may wait for it.
const SLEEP: Duration = Duration::from_mins(1);

/// The first byte chooses the client's settings. The rest are the steps of a server that accepts, answers, writes and
/// breaks, and falls silent at the end. Whatever it does, connecting has an end, and so has the session.
pub(crate) fn run(data: &[u8]) {
    in_virtual_time(story(data));
}

async fn story(data: &[u8]) {
    let mut script = Script::new(data);
    let Some(settings) = script.byte() else { return };
    let network = Network::new();
    let listener = network.listen();
    let is = move |bit: u8| settings & bit != 0;
    let link = network.link();
    if is(SMALL_BUFFER) {
        link.set_buffer(512);
    }
    let mut builder =
        Client::builder("http://server.test").link(&link).eio3(is(EIO3)).upgrade(!is(NO_UPGRADE));
    if is(WEBSOCKET) {
        builder = builder.transports([Transport::WebSocket]);
    }
    if is(LIMITS) {
        builder = builder.max_payload(300).inbox(2, 600).outbox(2, 600);
    }
    if is(TRY_ALL) {
        builder = builder.try_all_transports(true);
    }
    if is(FOLLOW) {
        builder = builder.cookies(true).follow_redirects(3);
    }
    let client = builder.on_event(observer()).build().expect("settings that fit");
    let session = tokio::spawn(async move {
        let Ok(mut socket) = client.connect().await else { return };
        if is(SLEEPS) {
            sleep(SLEEP).await;
        }
        while let Ok(message) = socket.recv().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
        match socket.closed().await.reason {
            DisconnectReason::PingTimeout => reached::note("the end of a silent server's session"),
            DisconnectReason::ApplicationStalled => {
                reached::note("the end of a session that nobody reads");
            }
            _ => {}
        }
    });
    let mut server = Answers { listener, connections: Vec::new(), has_answered_post: false };
    server.play(&mut script).await;
    let ended = timeout(FOR_EVER, session).await;
    ended.expect("the client ends").expect("the client's task does not panic");
}

/// Notes what the client reaches.
fn observer() -> impl Fn(ClientEvent) + Send + Sync + 'static {
    let stays_on_polling = AtomicBool::new(false);
    move |event| match event {
        ClientEvent::Opened { .. } => reached::note("opened"),
        ClientEvent::UpgradeEnded(UpgradeOutcome::Upgraded) => reached::note("upgraded"),
        ClientEvent::UpgradeEnded(UpgradeOutcome::Failed(_)) => {
            stays_on_polling.store(true, Ordering::Relaxed);
        }
        ClientEvent::Redirected { .. } => reached::note("redirected"),
        ClientEvent::TryingTransport { .. } => reached::note("the next transport"),
        ClientEvent::Message(message) => {
            if stays_on_polling.load(Ordering::Relaxed) {
                reached::note("a message after a failed upgrade");
            }
            if message.len() >= 1 << 14 {
                reached::note("a message of 16 KiB");
            }
        }
        _ => {}
    }
}

/// The server's side.
struct Answers {
    listener: NetworkListener,
    connections: Vec<NetworkStream>,
    /// Whether it has answered a request with data.
    has_answered_post: bool,
}

impl Answers {
    async fn play(&mut self, script: &mut Script<'_>) {
        while let Some(letter) = script.byte() {
            match letter {
                b'a' => self.accept().await,
                b'h' => self.switch().await,
                b'o' => self.answer(script.bytes()).await,
                b'f' => self.frame(script.bytes()).await,
                b'B' => self.large(script.byte().unwrap_or(0), script.byte().unwrap_or(0)).await,
                b'w' => self.write(script.bytes()).await,
                b'r' => _ = self.read().await,
                b'n' => self.turn(),
                b'd' => drop(self.connections.pop()),
                b't' => sleep(script.time()).await,
                _ => {}
            }
        }
    }

    /// The last connection becomes the first one.
    fn turn(&mut self) {
        if let Some(stream) = self.connections.pop() {
            self.connections.insert(0, stream);
        }
    }

    /// The next connection of the client, if it comes soon.
    async fn accept(&mut self) {
        if let Ok((stream, _)) = timeout(Duration::from_millis(100), self.listener.accept()).await {
            self.connections.push(stream);
        }
    }

    /// What the client has written, as much as fits.
    async fn read(&mut self) -> Vec<u8> {
        let Some(stream) = self.connections.last_mut() else { return Vec::new() };
        let mut bytes = vec![0; 1 << 14];
        let read = timeout(Duration::from_millis(1), stream.read(&mut bytes)).await;
        bytes.truncate(read.map_or(0, |read| read.unwrap_or(0)));
        if bytes.windows(9).any(|name| name.eq_ignore_ascii_case(b"\r\ncookie:")) {
            reached::note("a cookie");
        }
        if self.has_answered_post && bytes.starts_with(b"POST") {
            reached::note("a request after an answered post");
        }
        bytes
    }

    /// Opens the WebSocket that the client asks for, as the protocol wants it.
    async fn switch(&mut self) {
        let request = self.read().await;
        let Ok(head) = RequestHead::parse(&request) else { return };
        let Ok(opening) = Opening::check(&head) else { return };
        let mut out = [0; 512];
        let response = opening.accept(None, &[], &mut out).expect("room");
        self.write(response).await;
    }

    /// An answer to a request.
    async fn answer(&mut self, body: &[u8]) {
        self.has_answered_post |= self.read().await.starts_with(b"POST");
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\ncontent-type: text/plain\r\n\r\n", body.len());
        self.write(&[head.as_bytes(), body].concat()).await;
    }

    /// A frame of text, or of bytes if it is none.
    async fn frame(&mut self, payload: &[u8]) {
        let message =
            str::from_utf8(payload).map_or(WebSocketMessage::Binary(payload), WebSocketMessage::Text);
        let mut out = vec![0; payload.len() + FrameHeader::MAX_LEN];
        let len = ws::encode_message(message, None, &mut out).expect("room");
        self.write(&out[..len]).await;
    }

    /// A frame with this first byte, and this number of times 512 bytes. Its length has the shortest form, as both sides must
    /// write it.
    async fn large(&mut self, first: u8, times: u8) {
        let payload = vec![b'4'; usize::from(times) * 512];
        let mut head = [0; FrameHeader::MAX_LEN];
        let len = FrameHeader::new(OpCode::Text, payload.len()).encode(&mut head).expect("room");
        head[0] = first;
        self.write(&[&head[..len], &payload].concat()).await;
    }

    async fn write(&mut self, bytes: &[u8]) {
        let Some(stream) = self.connections.last_mut() else { return };
        let _ = timeout(Duration::from_millis(1), stream.write_all(bytes)).await;
    }
}
