//! An Engine.IO echo server that drives the core by hand, on plain `std::net` with one thread per connection, without
//! tokio.
//!
//! To stay short, it supports only WebSocket. It shows the caller's loop: read what is ready, then report the time, then
//! write. A read timeout replaces the timer, because a blocking socket has no other way to wait for both.
//!
//! Run `cargo run --example custom_runtime`, and connect with `eio connect ws://127.0.0.1:3000` or any Engine.IO client
//! that opens on WebSocket: those of JavaScript do with `transports: ["websocket"]`.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use eio_core::handshake::{Handshake, Sid};
use eio_core::packet::{Packet, PacketType, WebSocketMessage, v4};
use eio_core::session::{CLOSE_TIMEOUT, Control, SessionEvent, Violation};
use eio_core::ws::{self, ControlFrame, Decoder, Key, Reader, Received};
use eio_core::{Heartbeat, Instant, Liveness, ServerSession};

#[path = "support/http.rs"]
mod http;

const MAX_PAYLOAD: u32 = 64 * 1024;

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000")?;
    println!("listening on http://{}/engine.io/", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || match serve(stream) {
            Ok(reason) => println!("session ended: {reason}"),
            Err(error) => println!("no session: {error}"),
        });
    }
    Ok(())
}

/// The caller's clock: microseconds since the session's thread began.
struct Clock(std::time::Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this program's one clock")]
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

fn serve(mut stream: TcpStream) -> io::Result<String> {
    stream.set_nodelay(true)?;
    let mut rest = Vec::new();
    let head = http::read_head(&mut stream, &mut rest)?;
    let key = http::header(&head, "sec-websocket-key").and_then(|key| Key::parse(key.as_bytes()).ok());
    let Some(key) = key.filter(|_| head.contains("transport=websocket") && head.contains("EIO=4")) else {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")?;
        return Err(io::Error::other("not an Engine.IO request over WebSocket"));
    };
    stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")?;
    stream.write_all(b"Sec-WebSocket-Accept: ")?;
    stream.write_all(&key.accept())?;
    stream.write_all(b"\r\n\r\n")?;

    // Sixteen random bytes, so that the sid cannot be guessed.
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let name = format!("{:032x}", u128::from_ne_bytes(random));
    let sid = Sid::new(&name).map_err(io::Error::other)?;
    let mut json = [0; Handshake::MAX_LEN];
    let open = Handshake::new(sid, Heartbeat::DEFAULT)
        .with_max_payload(MAX_PAYLOAD)
        .encode(&mut json)
        .map_err(io::Error::other)?;
    send(&mut stream, &Packet::text(PacketType::Open, open))?;

    let clock = Clock::start();
    let mut session = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), clock.now());
    // One buffer holds the received bytes until frames are complete.
    let buffer_len = MAX_PAYLOAD as usize + Reader::OVERHEAD;
    let mut buffer = vec![0; buffer_len];
    let mut reader = Reader::new(Decoder::server(MAX_PAYLOAD), &mut buffer).map_err(io::Error::other)?;
    // The bytes that arrived after the request.
    let early = rest.len().min(buffer_len);
    reader.spare()[..early].copy_from_slice(&rest[..early]);
    reader.filled(early);
    loop {
        // 1. Handle everything that is ready.
        if let Err(error) = handle(&mut stream, &mut session, &mut reader, &clock) {
            println!("the client broke the framing: {error}");
            session.handle_violation(clock.now(), Violation::WebSocket);
        }
        // 2. Then report the time.
        session.handle_timeout(clock.now());
        // 3. Report the end before writing, because the peer may be gone.
        if let Some(end) = session.end() {
            return Ok(format!("{} after {:?} of silence", end.reason, end.silent_for));
        }
        // 4. Send the session's own packets.
        while let Some(control) = session.poll_transmit() {
            match send(&mut stream, &control.packet()) {
                // The write may have waited until the client had taken what was written before.
                Ok(()) if control == Control::Ping => session.handle_ping_sent(clock.now()),
                Ok(()) => {}
                Err(_) => session.handle_transport_error(clock.now()),
            }
        }
        // 5. Sleep until something arrives or the deadline comes.
        let now = clock.now();
        let wait =
            session.poll_timeout().map_or(CLOSE_TIMEOUT, |deadline| deadline.saturating_duration_since(now));
        stream.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        match stream.read(reader.spare()) {
            Ok(len) if len > 0 => reader.filled(len),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Ok(_) => session.handle_transport_closed(clock.now()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                session.handle_transport_reset(clock.now());
            }
            Err(_) => session.handle_transport_error(clock.now()),
        }
    }
}

/// Passes every received packet to the session, and echoes the messages.
fn handle(
    stream: &mut TcpStream,
    session: &mut ServerSession,
    reader: &mut Reader<'_>,
    clock: &Clock,
) -> Result<(), ws::Error> {
    while let Some(received) = reader.poll()? {
        let frame = match received {
            Received::Message(frame) => frame,
            Received::Piece(_) => continue, // only a reader made with `in_pieces` returns these
            Received::Control(control) => {
                let mut reply = [0; ControlFrame::MAX_LEN];
                let len = control.reply().map(|control| control.encode(None, &mut reply));
                if let Some(Ok(len)) = len
                    && stream.write_all(&reply[..len]).is_err()
                {
                    session.handle_transport_error(clock.now());
                }
                if let ControlFrame::Close(close) = control {
                    session.handle_close_frame(clock.now(), close);
                }
                continue;
            }
        };
        if let Some(SessionEvent::Message(data)) = session.handle_packet(clock.now(), v4::decode(frame)) {
            let echo = Packet { packet_type: PacketType::Message, data };
            if session.check_send(clock.now()).is_ok() && send(stream, &echo).is_err() {
                session.handle_transport_error(clock.now());
            }
        }
    }
    Ok(())
}

fn send(stream: &mut TcpStream, packet: &Packet<'_>) -> io::Result<()> {
    let mut body = vec![0; v4::encoded_len(packet, true)];
    let frame = v4::encode(packet, true, &mut body).map_err(io::Error::other)?;
    let len = match frame {
        WebSocketMessage::Text(text) => text.len(),
        WebSocketMessage::Binary(bytes) => bytes.len(),
    };
    let mut out = vec![0; len + ws::FrameHeader::MAX_LEN];
    let len = ws::encode_message(frame, None, &mut out).map_err(io::Error::other)?;
    stream.write_all(&out[..len])
}
