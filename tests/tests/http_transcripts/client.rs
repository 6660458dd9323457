//! A raw client: HTTP/1.1 and RFC 6455 over an in-memory pipe, with as little knowledge as the recorded one had.

use eio_core::packet::WebSocketMessage;
use eio_core::ws::{self, ControlFrame, Decoder, Item, Key, MessageKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::recording::{Answer, Body, Exchange};

const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

/// Sends a request and reads its answer; none if the connection ends before.
///
/// A body without a length is sent in chunks; while `rest` is not closed, its end is held back.
pub(crate) async fn request(
    pipe: DuplexStream,
    exchange: &Exchange,
    url: &str,
    mut rest: UnboundedReceiver<()>,
) -> Option<Answer> {
    let mut head = format!("{} {url} HTTP/1.1\r\nhost: localhost\r\n", exchange.method);
    for (name, value) in &exchange.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    let body = exchange.body.as_ref().map(Body::bytes);
    let has_length = exchange.headers.iter().any(|(name, _)| name == "content-length");
    let chunked = body.is_some() && !has_length;
    head.push_str(if chunked { "transfer-encoding: chunked\r\n\r\n" } else { "\r\n" });
    let (mut reader, mut writer) = tokio::io::split(pipe);
    let write = async {
        // A server may answer and close before it has read everything. That is not an error.
        let _ = writer.write_all(head.as_bytes()).await;
        let body = body.unwrap_or_default();
        if chunked && !body.is_empty() {
            let _ = writer.write_all(format!("{:x}\r\n", body.len()).as_bytes()).await;
        }
        let _ = writer.write_all(&body).await;
        if chunked {
            let _ = writer.write_all(if body.is_empty() { b"" } else { b"\r\n" }).await;
            while rest.recv().await.is_some() {}
            let _ = writer.write_all(b"0\r\n\r\n").await;
        }
        core::future::pending::<()>().await;
    };
    tokio::select! {
        answer = read_answer(&mut reader, exchange.method == "HEAD") => answer.map(|(answer, _)| answer),
        () = write => None,
    }
}

/// Reads one response. Bytes after its head that are not its body are returned with it.
async fn read_answer(reader: &mut ReadHalf<DuplexStream>, headless: bool) -> Option<(Answer, Vec<u8>)> {
    let mut read = Vec::new();
    let (head_len, head) = loop {
        if let Some(end) = find(&read, b"\r\n\r\n") {
            break (end + 4, String::from_utf8_lossy(read.get(..end)?).into_owned());
        }
        if reader.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let mut rest = read.split_off(head_len);
    let mut lines = head.split("\r\n");
    let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let answer = |body: Vec<u8>| Answer { status, headers: headers.clone(), body: Body::Binary(body) };
    if headless || status == 101 || status == 204 {
        return Some((answer(Vec::new()), rest));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.and_then(|(_, value)| value.parse().ok())?;
    while rest.len() < length {
        if reader.read_buf(&mut rest).await.ok()? == 0 {
            return None;
        }
    }
    Some((answer(rest), Vec::new()))
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

/// What to do with a WebSocket.
pub(crate) enum Order {
    Send(Body),
    /// Sends a close frame, with this code unless it is 1005, which means none.
    Close(u16),
    /// Drops the connection.
    Destroy,
}

/// What a WebSocket told.
pub(crate) enum Seen {
    Opened,
    Rejected(Answer),
    Frame(Body),
    /// The server's close frame had this code: 1005 if none, 1006 if there was no frame.
    Closed(u16),
}

/// Opens a WebSocket, follows orders, and tells what it sees.
#[expect(clippy::too_many_lines, reason = "one recorded exchange")]
pub(crate) async fn websocket(
    pipe: DuplexStream,
    url: &str,
    mut orders: UnboundedReceiver<Order>,
    mut tell: impl FnMut(Seen),
) {
    let key = Key::from_random(*b"the sample nonce");
    let (mut reader, mut writer) = tokio::io::split(pipe);
    let head = format!(
        "GET {url} HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: {}\r\n\r\n",
        key.as_str()
    );
    let _ = writer.write_all(head.as_bytes()).await;
    let mut unread = match read_answer(&mut reader, false).await {
        Some((answer, rest)) if answer.status == 101 => {
            assert_eq!(answer.header("upgrade"), Some("websocket"));
            let accept = answer.header("sec-websocket-accept").unwrap_or_default();
            assert!(key.is_accepted_by(accept.as_bytes()), "the key is accepted");
            rest
        }
        Some((answer, _)) => return tell(Seen::Rejected(answer)),
        None => return tell(Seen::Closed(1006)),
    };
    tell(Seen::Opened);
    let mut decoder = Decoder::client(u32::MAX);
    let mut partial = Vec::new();
    let mut closing = false;
    loop {
        while !unread.is_empty() {
            let next = decoder.decode(&mut unread).expect("a server's frames are valid");
            let consumed = next.consumed;
            let has_item = next.item.is_some();
            match next.item {
                Some(Item::Message(WebSocketMessage::Text(text))) => {
                    tell(Seen::Frame(Body::Text(text.to_owned())));
                }
                Some(Item::Message(WebSocketMessage::Binary(bytes))) => {
                    tell(Seen::Frame(Body::Binary(bytes.to_vec())));
                }
                Some(Item::Piece(piece)) => {
                    partial.extend_from_slice(piece.bytes);
                    if piece.last {
                        let whole = core::mem::take(&mut partial);
                        tell(Seen::Frame(match piece.kind {
                            MessageKind::Text => Body::Text(String::from_utf8(whole).expect("text is UTF-8")),
                            MessageKind::Binary => Body::Binary(whole),
                        }));
                    }
                }
                Some(Item::Control(ControlFrame::Close(close))) => {
                    tell(Seen::Closed(close.map_or(1005, |close| close.code().as_u16())));
                    if !closing {
                        send_control(&mut writer, &ControlFrame::Close(None)).await;
                    }
                    return;
                }
                Some(Item::Control(_)) | None => {}
            }
            unread.drain(..consumed);
            if !has_item {
                break;
            }
        }
        tokio::select! {
            read = reader.read_buf(&mut unread) => {
                if !matches!(read, Ok(len) if len > 0) {
                    return tell(Seen::Closed(1006));
                }
            }
            order = orders.recv() => match order {
                Some(Order::Send(body)) => {
                    let bytes = body.bytes();
                    let message = match &body {
                        Body::Binary(_) => WebSocketMessage::Binary(&bytes),
                        _ => WebSocketMessage::Text(core::str::from_utf8(&bytes).unwrap_or_default()),
                    };
                    let mut frame = vec![0; bytes.len() + 14];
                    let len = ws::encode_message(message, Some(MASK), &mut frame).expect("there is room");
                    let _ = writer.write_all(&frame[..len]).await;
                }
                Some(Order::Close(code)) => {
                    closing = true;
                    // 1005 is none, and is not sent.
                    let close = ws::Close::new(ws::CloseCode::new(code), "").ok();
                    send_control(&mut writer, &ControlFrame::Close(close)).await;
                }
                Some(Order::Destroy) => return,
                None => core::future::pending().await,
            }
        }
    }
}

async fn send_control(writer: &mut tokio::io::WriteHalf<DuplexStream>, control: &ControlFrame<'_>) {
    let mut frame = [0; 140];
    let len = control.encode(Some(MASK), &mut frame).expect("there is room");
    let _ = writer.write_all(&frame[..len]).await;
}
