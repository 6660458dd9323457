//! The task of one connection: reads the client's packets, runs the handlers of its sockets, and tells them their end.

mod handling;
mod packets;
mod returning;

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use eio_tokio::Message;
use tokio::time::Sleep;

use crate::packet::Packet;
use crate::parser::Decoder;
use crate::server::disconnect::Reason;
use crate::server::link::{Link, News};
use crate::server::running::Running;
use crate::server::shared::Shared;
use crate::server::socket::Socket;
use crate::targets;

/// How many packets a connection reads before others have their turn.
const PACKETS_PER_TURN: usize = 64;

/// How long a client may take to fetch what was sent before the application closed its connection.
const LEAVING: Duration = Duration::from_secs(1);

/// How long the handlers of a session that has ended may keep what arrived before from being read, without one of them ending.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection.
pub(crate) struct Connection {
    engine: eio_tokio::Socket,
    link: Arc<Link>,
    decoder: Box<dyn Decoder>,
    /// The sockets that join, have joined, or have ended and are still to be told so.
    sockets: Vec<Socket>,
    /// The sockets that have just joined, and whose application is told so in the next turn.
    joined: Vec<Socket>,
    /// The namespaces from which the server has disconnected the client. What the client sent before it knew is ignored.
    left: Vec<ByteString>,
    running: Running,
    /// When the connection closes, unless a socket joins.
    close_at: Option<Pin<Box<Sleep>>>,
    /// What happens to the packets that wait for room: the next one is sent, or what was sent is flushed.
    sending: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// The end of the session while the connection does not read; while a message waits, also the end of the patience.
    closed: Option<Pin<Box<dyn Future<Output = eio_tokio::Disconnect> + Send>>>,
    /// The next message of a session that has ended, while there is no room for its handler.
    waiting: Option<Box<Message>>,
    /// A request to join a namespace whose socket another thread is about to end. It is handled after that, and nothing is read
    /// before.
    held: Option<Box<Packet>>,
    /// Whether the application has closed the connection. Nothing that comes is handled any more.
    is_leaving: bool,
    /// The moment when all that was sent before is on its way.
    flushed: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Why the server closes the connection, if it does.
    closing: Option<Reason>,
    has_ended: bool,
}

impl Connection {
    /// Serves a client until its session has ended and its handlers are through.
    pub(crate) async fn run(server: Arc<Shared>, engine: eio_tokio::Socket) {
        let link = Arc::new(Link::new(server, engine.sender()));
        let mut connection = Self {
            decoder: link.server.parser.decoder(),
            engine,
            link,
            sockets: Vec::new(),
            joined: Vec::new(),
            left: Vec::new(),
            running: Running::default(),
            close_at: None,
            sending: None,
            closed: None,
            waiting: None,
            held: None,
            is_leaving: false,
            flushed: None,
            closing: None,
            has_ended: false,
        };
        connection.await_join();
        poll_fn(|cx| {
            connection.begin(cx);
            Poll::Ready(())
        })
        .await;
        poll_fn(|cx| connection.poll(cx)).await;
    }

    /// Begins to wait for a client to join a namespace.
    fn await_join(&mut self) {
        self.close_at = Some(Box::pin(tokio::time::sleep(self.link.server.connect_timeout)));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.tell_joined(cx);
        loop {
            let News { has_ended, closes } = self.link.look(cx);
            if closes {
                self.sockets.iter().for_each(Socket::disconnect);
                self.is_leaving = true;
                self.close_at = Some(Box::pin(tokio::time::sleep(LEAVING)));
            }
            if has_ended || closes {
                self.tell_ends(cx);
            }
            while let Poll::Ready(done) = self.running.poll(cx) {
                // The patience with handlers begins anew.
                self.closed = None;
                self.finish(done, cx);
            }
            self.poll_sending(cx);
            match self.poll_packets(cx) {
                // A handler of these packets may have ended a socket, or sent what waits.
                Poll::Ready(true) => {}
                Poll::Ready(false) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Pending => break,
            }
        }
        if self.has_ended {
            return if self.running.is_empty() && self.sockets.is_empty() {
                Poll::Ready(())
            } else {
                Poll::Pending
            };
        }
        let is_due = self.close_at.as_mut().is_some_and(|close_at| close_at.as_mut().poll(cx).is_ready());
        if is_due || self.has_said_goodbye(cx) {
            self.close_at = None;
            self.engine.close();
        }
        Poll::Pending
    }

    /// Returns whether the connection is to be closed, and all that was sent before is on its way. On polling, the client
    /// must get it with an answer before the one that ends the session: socket.io-client handles the end first.
    fn has_said_goodbye(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.is_leaving || self.close_at.is_none() || self.link.is_busy() {
            return false;
        }
        let flushed = self.flushed.get_or_insert_with(|| self.link.flushed());
        let is_over = flushed.as_mut().poll(cx).is_ready();
        if is_over {
            self.flushed = None;
        }
        is_over
    }

    /// Sends the packets that wait for room.
    fn poll_sending(&mut self, cx: &mut Context<'_>) {
        loop {
            let Some(sending) = &mut self.sending else {
                let Some(step) = self.link.next_step() else { return };
                self.sending = Some(step);
                continue;
            };
            if sending.as_mut().poll(cx).is_pending() {
                return;
            }
            self.sending = None;
            self.link.note_done();
        }
    }

    /// Reads packets. Returns whether the connection should look at its handlers again before others have their turn.
    fn poll_packets(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        for _ in 0..PACKETS_PER_TURN {
            if self.has_ended {
                return Poll::Pending;
            }
            self.handle_held(cx);
            if !self.joined.is_empty() {
                return Poll::Ready(false);
            }
            match self.poll_message(cx) {
                Poll::Ready(Ok(message)) => self.receive(message, cx),
                Poll::Ready(Err(end)) => {
                    self.end(&end, cx);
                    return Poll::Ready(true);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(false)
    }

    /// Returns the next message of the client if the application and the client keep up, or else the end of the session.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, eio_tokio::Disconnect>> {
        let sender = &self.link.sender;
        let has_room = self.running.has_room(self.link.server.max_running);
        // A client that asks for more than it takes, or than the application does, has to wait.
        let may_read = has_room && !self.link.owes() && self.held.is_none();
        if self.waiting.is_none() && !may_read {
            let closed = self.closed.get_or_insert_with(|| closed_after(sender.clone(), Duration::ZERO));
            ready!(closed.as_mut().poll(cx));
            self.closed = None;
            // What arrived before the end is handled before it.
            match ready!(pin!(self.engine.recv()).poll(cx)) {
                Ok(message) => self.waiting = Some(Box::new(message)),
                Err(end) => return Poll::Ready(Err(end)),
            }
        }
        if self.waiting.is_some() && !has_room {
            let closed = self.closed.get_or_insert_with(|| closed_after(sender.clone(), PATIENCE));
            let end = ready!(closed.as_mut().poll(cx));
            self.drop_unread(cx);
            return Poll::Ready(Err(end));
        }
        self.closed = None;
        match self.waiting.take() {
            Some(message) => Poll::Ready(Ok(*message)),
            None => pin!(self.engine.recv()).poll(cx),
        }
    }

    /// Ends what is left: the session is over.
    fn end(&mut self, session: &eio_tokio::Disconnect, cx: &mut Context<'_>) {
        self.has_ended = true;
        self.close_at = None;
        let reason = self.reason(session);
        for socket in &self.sockets {
            socket.end_with(reason.clone(), Some(session.clone()));
        }
        self.tell_ends(cx);
    }

    /// Drops what handlers that do not end have kept from being read.
    fn drop_unread(&mut self, cx: &mut Context<'_>) {
        let mut messages = usize::from(self.waiting.take().is_some());
        while let Poll::Ready(Ok(_)) = pin!(self.engine.recv()).poll(cx) {
            messages += 1;
        }
        tracing::warn!(
            target: targets::CONNECTION,
            sid = %self.link.sender.id().short(),
            messages,
            "the handlers of a client that is gone do not end: what it sent last is dropped"
        );
    }

    /// Returns why the sockets end with their session.
    fn reason(&mut self, session: &eio_tokio::Disconnect) -> Reason {
        if let Some(reason) = self.closing.take() {
            return reason;
        }
        if self.link.is_slow() {
            return Reason::SlowClient;
        }
        if session.reason == eio_tokio::DisconnectReason::LocalClose && is_closing(&self.link.sender.server())
        {
            return Reason::ServerShuttingDown;
        }
        Reason::Session(session.reason)
    }
}

/// Returns the end of the session, once this time has passed as well.
fn closed_after(
    sender: eio_tokio::Sender,
    time: Duration,
) -> Pin<Box<dyn Future<Output = eio_tokio::Disconnect> + Send>> {
    Box::pin(async move {
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
        sender.closed().await
    })
}

/// Returns whether the server shuts down.
fn is_closing(engine: &eio_tokio::Server) -> bool {
    let mut cx = Context::from_waker(core::task::Waker::noop());
    pin!(engine.closing()).poll(&mut cx).is_ready()
}

/// The task was cut off because the server's shutdown did not wait any longer, or it panicked, as a parser of the application
/// may. The handlers of ends run all the same.
impl Drop for Connection {
    fn drop(&mut self) {
        let end = self.engine.end();
        let panicked = Reason::Session(eio_tokio::DisconnectReason::ApplicationPanicked);
        let reason = end.as_ref().map_or(panicked, |end| self.reason(end));
        for socket in core::mem::take(&mut self.sockets) {
            socket.end_with(reason.clone(), end.clone());
            handling::tell_end_elsewhere(socket);
        }
        for socket in self.running.cut_off() {
            handling::tell_disconnect_elsewhere(socket);
        }
    }
}
