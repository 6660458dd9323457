//! The echo over `eio_core::ws` that both WebSocket examples use.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use eio_core::packet::WebSocketMessage;
use eio_core::ws::{ControlFrame, Decoder, FrameHeader, Item, OpCode, mask};

/// Sends every message back until the peer closes. `key` returns the masking key of each frame, or `None` for a server.
pub(crate) fn echo(
    stream: &mut TcpStream,
    mut decoder: Decoder,
    mut input: Vec<u8>,
    mut key: impl FnMut() -> Option<[u8; 4]>,
) -> io::Result<()> {
    let mut message = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let mut at = 0;
        loop {
            let found = match decoder.decode(&mut input[at..]) {
                Ok(found) => found,
                Err(error) => {
                    let close = eio_core::ws::Close::new(error.close_code(), "").ok();
                    return write_control(stream, ControlFrame::Close(close), key());
                }
            };
            at += found.consumed;
            match found.item {
                None => break,
                Some(Item::Message(WebSocketMessage::Text(text))) => {
                    write_message(stream, OpCode::Text, text.as_bytes(), key())?;
                }
                Some(Item::Message(WebSocketMessage::Binary(bytes))) => {
                    write_message(stream, OpCode::Binary, bytes, key())?;
                }
                Some(Item::Piece(piece)) => {
                    message.extend_from_slice(piece.bytes);
                    if piece.last {
                        let opcode = match piece.kind {
                            eio_core::ws::MessageKind::Text => OpCode::Text,
                            eio_core::ws::MessageKind::Binary => OpCode::Binary,
                        };
                        write_message(stream, opcode, &core::mem::take(&mut message), key())?;
                    }
                }
                Some(Item::Control(control)) => {
                    if let Some(reply) = control.reply() {
                        write_control(stream, reply, key())?;
                    }
                    if let ControlFrame::Close(_) = control {
                        return Ok(());
                    }
                }
            }
        }
        input.drain(..at);
        match stream.read(&mut chunk)? {
            0 => return Ok(()),
            len => input.extend_from_slice(&chunk[..len]),
        }
    }
}

fn write_message(
    stream: &mut TcpStream,
    opcode: OpCode,
    payload: &[u8],
    key: Option<[u8; 4]>,
) -> io::Result<()> {
    let mut header = FrameHeader::new(opcode, payload.len());
    header.mask = key;
    let mut frame = vec![0; header.encoded_len()];
    header.encode(&mut frame).map_err(io::Error::other)?;
    let start = frame.len();
    frame.extend_from_slice(payload);
    if let Some(key) = key {
        mask(&mut frame[start..], key, 0);
    }
    stream.write_all(&frame)
}

fn write_control(stream: &mut TcpStream, control: ControlFrame<'_>, key: Option<[u8; 4]>) -> io::Result<()> {
    let mut frame = [0; ControlFrame::MAX_LEN];
    let len = control.encode(key, &mut frame).map_err(io::Error::other)?;
    stream.write_all(&frame[..len])
}
