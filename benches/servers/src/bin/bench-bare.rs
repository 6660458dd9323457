//! The bound: what a loop on bare tokio costs, which speaks just enough of the protocol to be measured.
//!
//! A task for each connection answers the upgrade, then reads whenever something has arrived: once, into a buffer of the
//! thread. It unmasks the frames in place, puts the server's headers before their payloads, and echoes all of them with
//! one write. A timer for each connection sends pings and ends silent sessions. Only a frame that has not arrived whole
//! is kept, in a buffer of its size. Text is checked, as RFC 6455 demands of every endpoint (section 8.1). Nothing else
//! is that an echo does not need: no reserved bits, no fragments, no limit on time or connections. A complete server
//! cannot be faster than this; it can only come near.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use eio_bench_servers::{App, Options, run};
use eio_core::ws::Key;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

/// The longest message.
const MAX_PAYLOAD: usize = 1_000_000;

/// How many bytes a client's header is longer than a server's: the masking key.
const KEY_LEN: usize = 4;

/// TCP, or TLS on it.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 * 1024]);
}

fn main() -> ExitCode {
    run(check, serve)
}

fn check(options: &Options) -> Result<(), &'static str> {
    if options.app == App::Echo {
        Ok(())
    } else {
        Err("the bare loop has no list of its connections, and can only echo")
    }
}

async fn serve(listener: TcpListener, options: Options) -> io::Result<()> {
    let acceptor = options.tls()?;
    let periods = (options.ping_interval(), options.ping_timeout());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // However a connection ends, the others go on.
        match acceptor.clone() {
            None => tokio::spawn(connection(stream, periods)),
            Some(acceptor) => {
                tokio::spawn(
                    async move { Box::pin(connection(acceptor.accept(stream).await?, periods)).await },
                )
            }
        };
    }
}

async fn connection<S: Stream>(mut stream: S, periods: (Duration, Duration)) -> io::Result<()> {
    let (ping_interval, ping_timeout) = periods;
    open(&mut stream, periods).await?;
    let mut frames = Frames::default();
    let mut timer = pin!(sleep(ping_interval));
    let mut awaits_pong = false;
    loop {
        let turn = poll_fn(|cx| match frames.poll_echo(&mut stream, cx) {
            Poll::Ready(arrived) => Poll::Ready(Some(arrived)),
            Poll::Pending => timer.as_mut().poll(cx).map(|()| None),
        });
        match turn.await {
            Some(arrived) => {
                let Arrived { pong, end } = arrived?;
                if !frames.unsent.is_empty() {
                    stream.write_all(&std::mem::take(&mut frames.unsent)).await?;
                }
                // TLS may still hold some of it; for TCP this does nothing.
                stream.flush().await?;
                if end {
                    return Ok(());
                }
                if pong {
                    awaits_pong = false;
                    timer.as_mut().reset(Instant::now() + ping_interval);
                }
            }
            None if awaits_pong => return Ok(()),
            None => {
                awaits_pong = true;
                stream.write_all(b"\x81\x012").await?;
                stream.flush().await?;
                timer.as_mut().reset(Instant::now() + ping_timeout);
            }
        }
    }
}

/// Reads the request, and answers it with the open packet behind the head.
async fn open(stream: &mut impl Stream, periods: (Duration, Duration)) -> io::Result<()> {
    static SESSIONS: AtomicU64 = AtomicU64::new(0);
    let mut head = Vec::with_capacity(1024);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 16 * 1024 || stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
    });
    let key = key.and_then(|key| Key::parse(key.as_bytes()).ok()).ok_or(io::ErrorKind::InvalidData)?;
    let accept = key.accept();
    let open = format!(
        r#"0{{"sid":"{:020}","upgrades":[],"pingInterval":{},"pingTimeout":{},"maxPayload":{MAX_PAYLOAD}}}"#,
        SESSIONS.fetch_add(1, Ordering::Relaxed),
        periods.0.as_millis(),
        periods.1.as_millis(),
    );
    let mut answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept.escape_ascii()
    )
    .into_bytes();
    answer.extend([0x81, u8::try_from(open.len()).expect("an open packet of less than 126 bytes")]);
    answer.extend(open.as_bytes());
    stream.write_all(&answer).await?;
    stream.flush().await
}

/// What came besides messages.
#[derive(Default)]
struct Arrived {
    pong: bool,
    end: bool,
}

/// The frames of a connection.
#[derive(Default)]
struct Frames {
    /// The beginning of a frame that has not arrived whole, in a buffer of its size, and how much of it is there.
    partial: Vec<u8>,
    filled: usize,
    /// What the socket did not take.
    unsent: Vec<u8>,
}

impl Frames {
    /// Reads once, and echoes what came.
    fn poll_echo(&mut self, stream: &mut impl Stream, cx: &mut Context<'_>) -> Poll<io::Result<Arrived>> {
        if self.partial.is_empty() {
            return SCRATCH.with_borrow_mut(|scratch| {
                let len = ready!(read(stream, cx, scratch))?;
                Poll::Ready(self.echo(stream, cx, &mut scratch[..len]))
            });
        }
        let len = ready!(read(stream, cx, &mut self.partial[self.filled..]))?;
        self.filled += len;
        if len == 0 || self.filled < self.partial.len() {
            return Poll::Ready(Ok(Arrived { end: len == 0, ..Arrived::default() }));
        }
        let mut whole = std::mem::take(&mut self.partial);
        Poll::Ready(self.echo(stream, cx, &mut whole))
    }

    /// Echoes the frames of `input`, and keeps the beginning of one that is not whole.
    fn echo(
        &mut self,
        stream: &mut impl Stream,
        cx: &mut Context<'_>,
        input: &mut [u8],
    ) -> io::Result<Arrived> {
        if input.is_empty() {
            return Ok(Arrived { end: true, pong: false });
        }
        let mut arrived = Arrived::default();
        // The payload of the first frame stays where it is: the answer has no masking key before it.
        let (mut at, mut to) = (0, KEY_LEN);
        while let Some((header_len, len)) = frame(&input[at..])? {
            let payload = at + header_len;
            let end = payload + len;
            if end > input.len() {
                break;
            }
            let key: [u8; KEY_LEN] = input[payload - KEY_LEN..payload].try_into().expect("four bytes");
            unmask(&mut input[payload..end], key);
            let opcode = input[at] & 0x0f;
            if opcode == 1 && std::str::from_utf8(&input[payload..end]).is_err() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if opcode == 1 && input[payload..end] == *b"3" {
                arrived.pong = true;
            } else {
                // Masked bit off; a close frame is answered by itself, and a WebSocket's ping by a pong.
                let header = header_len - KEY_LEN;
                input.copy_within(at..at + header, to);
                input[to + 1] &= 0x7f;
                if opcode == 9 {
                    input[to] = 0x8a;
                }
                input.copy_within(payload..end, to + header);
                to += header + len;
                arrived.end |= opcode == 8;
            }
            at = end;
        }
        self.write(stream, cx, input.get(KEY_LEN..to).unwrap_or_default())?;
        self.keep(&input[at..])?;
        Ok(arrived)
    }

    /// Writes what the socket takes, and keeps the rest.
    fn write(&mut self, stream: &mut impl Stream, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let written = match Pin::new(stream).poll_write(cx, bytes) {
            Poll::Ready(written) => written?,
            Poll::Pending => 0,
        };
        self.unsent.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    /// Keeps the beginning of a frame, in a buffer for all of it.
    fn keep(&mut self, beginning: &[u8]) -> io::Result<()> {
        self.filled = beginning.len();
        if !beginning.is_empty() {
            // Of a header that is not whole, one byte more is known to come.
            let len = frame(beginning)?.map_or(beginning.len() + 1, |(header_len, len)| header_len + len);
            self.partial = vec![0; len];
            self.partial[..beginning.len()].copy_from_slice(beginning);
        }
        Ok(())
    }
}

/// Reads once.
fn read(stream: &mut impl Stream, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
    let mut buffer = ReadBuf::new(buffer);
    ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
    Poll::Ready(Ok(buffer.filled().len()))
}

/// Returns the length of a client's frame header and of its payload, or `None` if the header is not whole.
fn frame(bytes: &[u8]) -> io::Result<Option<(usize, usize)>> {
    let Some(&[_, second]) = bytes.first_chunk() else { return Ok(None) };
    let (header_len, len) = match (second & 0x7f, bytes) {
        (126, &[_, _, a, b, ..]) => (4, usize::from(u16::from_be_bytes([a, b]))),
        (127, &[_, _, 0, 0, 0, 0, a, b, c, d, ..]) => (10, u32::from_be_bytes([a, b, c, d]) as usize),
        (126 | 127, _) => {
            return if bytes.len() < 10 { Ok(None) } else { Err(io::ErrorKind::InvalidData.into()) };
        }
        (short, _) => (2, usize::from(short)),
    };
    if second & 0x80 == 0 || len > MAX_PAYLOAD {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let header_len = header_len + KEY_LEN;
    Ok((bytes.len() >= header_len).then_some((header_len, len)))
}

fn unmask(payload: &mut [u8], key: [u8; KEY_LEN]) {
    // The compiler makes vectors of these words.
    let (words, rest) = payload.as_chunks_mut::<KEY_LEN>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}
