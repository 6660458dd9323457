//! The functions between the page and the session.

use core::cell::RefCell;
use core::time::Duration;

use eio_core::packet::{Data, Packet, WebSocketMessage, v4};
use eio_core::session::{Control, SessionEvent};
use eio_core::ws::{Close, CloseCode, MessageKind};
use eio_core::{ClientSession, Instant};

use crate::grace::Grace;

// What the page does. Text and bytes are places in the module's memory, valid during the call.
#[link(wasm_import_module = "page")]
unsafe extern "C" {
    /// Sends a message on the WebSocket.
    safe fn send(start: *const u8, len: usize, is_text: bool);
    /// The session is open: its identifier.
    safe fn opened(start: *const u8, len: usize);
    /// The server has sent a message to the application.
    safe fn message(start: *const u8, len: usize, is_text: bool);
    /// The session has ended: the reason. The page closes the WebSocket.
    safe fn ended(start: *const u8, len: usize);
    /// Calls [`wake`] in this many milliseconds, instead of at the time that was set before.
    safe fn sleep(millis: f64);
}

struct Client {
    session: ClientSession,
    grace: Grace,
    is_ended: bool,
}

thread_local! {
    static CLIENT: RefCell<Option<Client>> = const { RefCell::new(None) };
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Returns where the page writes the bytes for the next call.
#[unsafe(no_mangle)]
pub extern "C" fn buffer(len: usize) -> *mut u8 {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        buffer.resize(len, 0);
        buffer.as_mut_ptr()
    })
}

/// Starts a session. The page has begun to open the WebSocket. All times are in milliseconds.
#[unsafe(no_mangle)]
pub extern "C" fn start(now: f64) {
    let session = ClientSession::eio4(Duration::from_secs(20), at(now));
    CLIENT.set(Some(Client { session, grace: Grace::default(), is_ended: false }));
    with(now, |_, _, _| {});
}

/// Handles the message in the buffer, which came on the WebSocket.
#[unsafe(no_mangle)]
pub extern "C" fn receive(now: f64, is_text: bool) {
    with(now, |session, now, bytes| {
        match session.handle_packet(now, v4::decode(to_message(bytes, is_text))) {
            Some(SessionEvent::Opened(handshake)) => {
                opened(handshake.sid.as_str().as_ptr(), handshake.sid.as_str().len());
            }
            Some(SessionEvent::Message(Data::Text(text))) => message(text.as_ptr(), text.len(), true),
            Some(SessionEvent::Message(Data::Binary(bytes))) => message(bytes.as_ptr(), bytes.len(), false),
            _ => {}
        }
    });
}

/// Sends the application's message in the buffer. Returns false if the session is not open, or if the server has been silent
/// for too long, as it seems to be right after the page was frozen.
#[unsafe(no_mangle)]
pub extern "C" fn emit(now: f64, is_text: bool) -> bool {
    with(now, |session, now, bytes| {
        let is_allowed = session.check_send(now).is_ok();
        if is_allowed {
            transmit(&Packet::message(to_message(bytes, is_text)));
        }
        is_allowed
    })
    .unwrap_or(false)
}

/// Reports the time.
#[unsafe(no_mangle)]
pub extern "C" fn wake(now: f64) {
    with(now, |_, _, _| {});
}

/// Closes the session.
#[unsafe(no_mangle)]
pub extern "C" fn close(now: f64) {
    with(now, |session, now, _| {
        session.close(now, Duration::ZERO);
        session.handle_closed(now);
    });
}

/// Reports that the WebSocket has closed, with the code of the browser's event.
#[unsafe(no_mangle)]
pub extern "C" fn closed(now: f64, code: u16) {
    with(now, |session, now, _| match code {
        // No close frame came.
        1006 => session.handle_transport_error(now),
        _ => session.handle_close_frame(now, Close::new(CloseCode::new(code), "").ok()),
    });
}

/// Does something with the session and the buffer, and then what the session asks for.
fn with<T>(now: f64, act: impl FnOnce(&mut ClientSession, Instant, &[u8]) -> T) -> Option<T> {
    let now = at(now);
    CLIENT.with_borrow_mut(|client| {
        let Client { session, grace, is_ended } = client.as_mut()?;
        let result = BUFFER.with_borrow(|buffer| act(session, now, buffer));
        if let Some(left) = grace.time_left(session, now) {
            sleep(left.as_secs_f64() * 1_000.0);
            return Some(result);
        }
        session.handle_timeout(now);
        while let Some(control) = session.poll_transmit() {
            // On a WebSocket, the page's close frame says it.
            if control != Control::Close {
                transmit(&control.packet());
            }
        }
        if let Some(deadline) = session.poll_timeout() {
            sleep(deadline.saturating_duration_since(now).as_secs_f64() * 1_000.0);
        } else if !core::mem::replace(is_ended, true) {
            let reason = session.end()?.reason.as_str();
            ended(reason.as_ptr(), reason.len());
        }
        Some(result)
    })
}

/// Browsers have whole milliseconds, or fractions of them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time since the page was opened"
)]
fn at(millis: f64) -> Instant {
    Instant::from_micros((millis * 1_000.0) as u64)
}

fn to_message(bytes: &[u8], is_text: bool) -> WebSocketMessage<'_> {
    let kind = if is_text { MessageKind::Text } else { MessageKind::Binary };
    kind.message(bytes).unwrap_or(WebSocketMessage::Binary(bytes))
}

fn transmit(packet: &Packet<'_>) {
    let mut buffer = vec![0; v4::encoded_len(packet, true)];
    match v4::encode(packet, true, &mut buffer) {
        Ok(WebSocketMessage::Text(text)) => send(text.as_ptr(), text.len(), true),
        Ok(WebSocketMessage::Binary(bytes)) => send(bytes.as_ptr(), bytes.len(), false),
        Err(_) => {} // it fits
    }
}
