//! The tokio client, and a server that answers what it likes.

use core::time::Duration;

use eio_core::packet::WebSocketMessage;
use eio_core::ws::opening::{Opening, RequestHead};
use eio_core::ws::{self, FrameHeader};
use eio_tokio::test_util::{Network, NetworkListener, NetworkStream};
use eio_tokio::{Client, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use crate::recordings;
use crate::script::{Script, in_virtual_time, step};

/// Longer than any period that a server can ask for, and all other limits of the client together.
const FOR_EVER: Duration = Duration::from_hours(60 * 24);

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
    let is = |bit: u8| settings & 1 << bit != 0;
    let mut builder = Client::builder("http://server.test").link(&network.link()).eio3(is(0)).upgrade(!is(1));
    if is(2) {
        builder = builder.transports([Transport::WebSocket]);
    }
    if is(3) {
        builder = builder.max_payload(300).inbox(2, 600).outbox(2, 600);
    }
    if is(4) {
        builder = builder.try_all_transports(true);
    }
    if is(5) {
        builder = builder.cookies(true).follow_redirects(3);
    }
    let client = builder.build().expect("settings that fit");
    let session = tokio::spawn(async move {
        let Ok(mut socket) = client.connect().await else { return };
        while let Ok(message) = socket.recv().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
        socket.closed().await;
    });
    let mut server = Answers { listener, connections: Vec::new() };
    server.play(&mut script).await;
    let ended = timeout(FOR_EVER, session).await;
    ended.expect("the client ends").expect("the client's task does not panic");
}

/// The server's side.
struct Answers {
    listener: NetworkListener,
    connections: Vec<NetworkStream>,
}

impl Answers {
    async fn play(&mut self, script: &mut Script<'_>) {
        while let Some(letter) = script.byte() {
            match letter {
                b'a' => self.accept().await,
                b'h' => self.switch().await,
                b'o' => self.answer(script.bytes()).await,
                b'f' => self.frame(script.bytes()).await,
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
        self.read().await;
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

    async fn write(&mut self, bytes: &[u8]) {
        let Some(stream) = self.connections.last_mut() else { return };
        let _ = timeout(Duration::from_millis(1), stream.write_all(bytes)).await;
    }
}

/// Sessions on a WebSocket and on polling, in which the server says what servers have said in the recordings.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let open =
        br#"0{"sid":"x7","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":1000}"#;
    let opens = |settings: u8, letters: &[u8], letter| [&[settings], letters, &step(letter, open)].concat();
    let mut seeds = vec![
        // Polling, and an upgrade.
        [
            opens(0, b"a", b'o'),
            b"ah".to_vec(),
            step(b'f', b"3probe"),
            b"n".to_vec(),
            step(b'o', b"6"),
            b"t\x09".to_vec(),
        ]
        .concat(),
        [
            &[0][..],
            b"a",
            &step(b'w', b"HTTP/1.1 302 Found\r\nlocation: http://other.test/\r\ncontent-length: 0\r\n\r\n"),
        ]
        .concat(),
    ];
    let frames: Vec<_> = recordings::frames().into_iter().filter(|frame| !frame.by_client).collect();
    for (number, frames) in frames.chunks(4).take(40).enumerate() {
        let is_eio3 = u8::from(number % 2 == 1);
        let mut seed = opens(0b100 | is_eio3, b"ah", b'f');
        for frame in frames {
            let payload = frame.data.to_wire();
            seed.extend(step(b'f', &payload[..payload.len().min(500)]));
        }
        seeds.push([&seed, &b"t\x09"[..]].concat());
    }
    for (number, body) in recordings::bodies().filter(|body| body.len() < 500).take(60).enumerate() {
        let is_eio3 = u8::from(number % 2 == 1);
        seeds.push([opens(0b10 | is_eio3, b"a", b'o'), step(b'o', &body), b"aat\x09".to_vec()].concat());
    }
    seeds
}
