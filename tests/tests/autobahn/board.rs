//! The client for boards. Some of them share one thread and one clock, as tasks of a board do.

use core::cell::RefCell;
use core::future::poll_fn;
use core::net::{Ipv4Addr, SocketAddr};
use core::task::Poll;

use edge_nal_std::Stack;
use eio_core::packet::Data;
use eio_core::ws::{MessageKind, Piece};
use eio_embassy::edge_nal::{TcpConnect as _, TcpSplit as _};
use eio_embassy::{Buffers, Client, ClientSettings, Endpoint, IncomingMessage, LongMessages};

use crate::MAX_MESSAGE;
use crate::ppp::{block_on, host_random};

static STACK: Stack = Stack::new();

/// How a client receives. The crate has a reader of its own for each.
#[derive(Clone, Copy)]
pub(crate) enum Receives {
    /// Whole messages.
    Whole,
    /// Whole messages, whose text is checked when they have arrived.
    CheckedLate,
    /// The pieces of messages that are longer than its buffer.
    InPieces,
}

/// It sends longer messages in fragments.
const TX: usize = 4 * 1024;

/// Connects for each case.
pub(crate) fn connect_all(port: u16, numbers: &[String], receives: Receives, at_once: usize) {
    let left = RefCell::new(numbers.iter());
    let worker = async || {
        loop {
            let Some(number) = left.borrow_mut().next() else { return };
            connect(port, number, receives).await;
        }
    };
    let mut boards: Vec<_> = (0..at_once).map(|_| Box::pin(worker())).collect();
    block_on(poll_fn(|cx| {
        boards.retain_mut(|board| board.as_mut().poll(cx).is_pending());
        if boards.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }));
}

async fn connect(port: u16, number: &str, receives: Receives) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut socket = STACK.connect(address).await.expect("the suite accepts it");
    let (reader, writer) = socket.split();
    let (rx, long_messages) = match receives {
        Receives::Whole => (MAX_MESSAGE as usize, LongMessages::REFUSED),
        Receives::CheckedLate => (MAX_MESSAGE as usize, LongMessages::REFUSED_WITH_LATE_TEXT_CHECK),
        Receives::InPieces => (4 * 1024, LongMessages::in_pieces(MAX_MESSAGE)),
    };
    let (mut rx, mut tx) = (vec![0; rx], vec![0; TX]);
    let buffers = Buffers { rx: &mut rx, tx: &mut tx };
    let settings = ClientSettings { long_messages, ..ClientSettings::DEFAULT };
    let mut random = host_random;
    let mut client = Client::new(reader, writer, buffers, &mut random, &settings).expect("large buffers");
    let (host, path) = (format!("127.0.0.1:{port}"), format!("/{number}/"));
    // A case may end the session at once. `recv` then says so.
    let _ = client.connect(&Endpoint { path: &path, ..Endpoint::engineio(&host) }).await;
    let mut message = Vec::new();
    // What has been received is taken out of the receive buffer before it is sent.
    while let Ok(received) = client.recv().await {
        let (kind, bytes, last) = match received {
            IncomingMessage::Whole(Data::Text(text)) => (MessageKind::Text, text.as_bytes(), true),
            IncomingMessage::Whole(Data::Binary(bytes)) => (MessageKind::Binary, bytes, true),
            IncomingMessage::Piece(Piece { kind, bytes, last, .. }) => (kind, bytes, last),
            other => panic!("the suite sends no {other:?}"),
        };
        message.extend_from_slice(bytes);
        if !last {
            continue;
        }
        let whole = kind.message(&message).expect("the client has checked it");
        if client.send(whole).await.is_err() {
            break;
        }
        message.clear();
    }
    client.close().await;
}
