//! The task of a client's connection: it opens sessions one after another, and reads.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytestring::ByteString;
use eio_tokio::{ClientSender, ClientSocket, ConnectError};
use tokio::time::Instant;

use crate::client::disconnect::{Disconnect, DisconnectReason};
use crate::client::error::JoinError;
use crate::client::inbox::Item;
use crate::client::namespace::{GivenUp, Namespace, Out, Phase};
use crate::client::outbox::Outgoing;
use crate::client::shared::{Session, Shared, State};
use crate::errors::EmitError;

/// How long a connection that nobody wants any more may take to send what waits: as long as the engine gives its own.
pub(super) const CLOSING_TIME: Duration = Duration::from_secs(30);

/// Ends everything when the task ends early, because its runtime shuts down. It may do so before the task has begun.
pub(super) struct Running {
    shared: Arc<Shared>,
    is_active: bool,
}

impl Running {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), is_active: true }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_active {
            let mut state = self.shared.lock();
            state.runtime = None;
            state.note_change();
            self.shared.ended(&mut state, &Disconnect::new(DisconnectReason::ClientDisconnect));
        }
    }
}

/// Keeps the connection of a client as long as a namespace wants it.
pub(super) async fn run(mut running: Running) {
    let shared = Arc::clone(&running.shared);
    while !shared.stops() {
        let mut sessions = shared.settings.sessions(&shared.engine);
        loop {
            let opened = tokio::select! {
                opened = sessions.next() => opened,
                () = shared.until(|state| (!state.is_wanted()).then_some(())) => break,
            };
            match opened {
                Ok(socket) => {
                    if !serve(&shared, socket).await {
                        // The next one need not wait for the delay that follows a lost connection.
                        break;
                    }
                }
                Err(error) => shared.not_opened(&error),
            }
            if !shared.lock().is_wanted() {
                break;
            }
        }
    }
    running.is_active = false;
}

/// Serves a session until it ends. Returns whether it was lost, and not closed because nobody wanted it.
async fn serve(shared: &Arc<Shared>, mut socket: ClientSocket) -> bool {
    let mut decoder = shared.settings.parser.decoder();
    let sender = socket.sender();
    shared.opened(Session::new(sender.clone(), socket.handshake().clone()));
    let mut closing = Closing::default();
    // Once the session has ended, the rest is read although nobody has room for it.
    let mut has_ended = false;
    let (end, error) = loop {
        let work = shared.work(&mut closing);
        let reads = work.reads || has_ended || closing.is_final;
        tokio::select! {
            message = socket.recv(), if reads => match message.map(|message| decoder.decode(message)) {
                Ok(Ok(Some(packet))) => shared.receive(packet),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => {
                    socket.close();
                    break (None, Some(error));
                }
                Err(end) => break (Some(end), None),
            },
            _ = sender.closed(), if !reads => has_ended = true,
            sent = transmit(&sender, work.stuck), if !has_ended => shared.unstuck(sent),
            // A close packet beside the packets before it would overtake what they say, on some servers.
            _ = sender.flush(), if closing.is_final && !closing.is_closed => closing.close(&socket),
            () = until(closing.deadline()) => closing.expire(&socket),
            () = until(work.late_at) => shared.give_up_late(),
            () = shared.task.notified() => {}
        }
    };
    let is_lost = !closing.is_final;
    let reconnects = shared.settings.reconnects || !is_lost;
    shared.ended(&mut shared.lock(), &Disconnect { reconnects, ..Disconnect::connection(end, error) });
    if closing.is_closed {
        // The server has everything once the connection has closed, too. Who joins meanwhile need not wait for that.
        tokio::select! {
            _ = socket.closed() => {}
            () = shared.until(|state| state.is_wanted().then_some(())) => {}
        }
    }
    is_lost
}

/// Sends the packet that the session had no room for. Does not return without one.
async fn transmit(sender: &ClientSender, packet: Option<Outgoing>) -> Result<(), EmitError> {
    match packet {
        Some(packet) => packet.send(sender).await,
        None => std::future::pending().await,
    }
}

/// Waits until a deadline. Does not return without one.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Whether the session closes because nobody wants it any more.
#[derive(Default)]
struct Closing {
    /// Since when nobody wants it.
    since: Option<Instant>,
    /// Whether nothing more will be sent.
    is_final: bool,
    is_closed: bool,
}

impl Closing {
    /// Returns when the session is closed although something could not be sent.
    fn deadline(&self) -> Option<Instant> {
        self.since.filter(|_| !self.is_closed).map(|since| since + CLOSING_TIME)
    }

    fn close(&mut self, socket: &ClientSocket) {
        self.is_closed = true;
        socket.close();
    }

    /// Closes the session although something could not be sent.
    fn expire(&mut self, socket: &ClientSocket) {
        self.is_final = true;
        self.close(socket);
    }
}

/// What the task has to do besides waiting.
struct Work {
    reads: bool,
    /// The packet that the session had no room for.
    stuck: Option<Outgoing>,
    /// When the answer to a request to join, that the application does not wait for, is late. `None` while nothing is read.
    late_at: Option<Instant>,
}

impl Shared {
    /// Returns whether the task may end, which it then must: the next one who joins starts another.
    fn stops(&self) -> bool {
        let mut state = self.lock();
        let stops = !state.is_wanted();
        if stops {
            state.runtime = None;
            state.note_change();
        }
        stops
    }

    /// Notes that a session is open, and begins to join all namespaces.
    fn opened(self: &Arc<Self>, session: Session) {
        let mut state = self.lock();
        state.session = Some(session);
        state.is_stuck = false;
        self.start_all(&mut state);
        state.note_change();
    }

    /// Returns what there is to do.
    fn work(&self, closing: &mut Closing) -> Work {
        let mut state = self.lock();
        if !closing.is_final {
            if state.is_wanted() {
                closing.since = None;
            } else {
                closing.since.get_or_insert_with(Instant::now);
                closing.is_final = state.outbox.is_empty();
            }
        }
        if closing.is_final {
            // Who joins from now on waits for the next session.
            state.session = None;
        }
        let stuck = if state.is_stuck { state.outbox.first().cloned() } else { None };
        let reads_since = state.is_reading().then(|| state.reads_since.unwrap_or_else(Instant::now));
        if reads_since.is_some() != state.reads_since.is_some() {
            // Who waits for an answer may wait longer.
            state.note_change();
        }
        state.reads_since = reads_since;
        let asked = state.namespaces.values().filter_map(Namespace::asked_unwatched).min();
        let late_at = asked.zip(reads_since).and_then(|(asked, reads_since)| {
            asked.max(reads_since).checked_add(self.settings.connect_timeout)
        });
        Work { reads: reads_since.is_some(), stuck, late_at }
    }

    /// Gives up requests to join, as after a reconnect, that the server has not answered in time. Those that the application
    /// waits for, it gives up itself.
    fn give_up_late(&self) {
        let mut state = self.lock();
        let Some(reads_since) = state.reads_since else { return };
        let is_late = |namespace: &&Namespace| {
            let asked = namespace.asked_unwatched();
            asked.is_some_and(|asked| asked.max(reads_since).elapsed() >= self.settings.connect_timeout)
        };
        let late = state.namespaces.values().filter(is_late).map(|namespace| namespace.target.name.clone());
        for name in late.collect::<Vec<_>>() {
            self.refuse(&mut state, &name, JoinError::Timeout);
            state.owe_farewell(&name);
        }
    }

    /// Notes that the session has taken the packet that it had no room for, or refuses it.
    fn unstuck(&self, sent: Result<(), EmitError>) {
        let mut state = self.lock();
        state.is_stuck = false;
        if let (Some(packet), Err(error)) = (state.outbox.pop(), sent) {
            state.fail(&packet, error);
        }
        state.note_change();
        state.pump();
    }

    /// Notes that no session opened, and that none will.
    fn not_opened(&self, error: &ConnectError) {
        let mut state = self.lock();
        let names: Vec<ByteString> = state.namespaces.keys().cloned().collect();
        for name in names {
            if state.namespaces.get(&name).is_some_and(|namespace| !namespace.is_out()) {
                self.refuse(&mut state, &name, JoinError::Connect(error.clone()));
            }
        }
    }

    /// Notes that the session has ended. Namespaces wait for the next one, if there will be one.
    fn ended(&self, state: &mut State, end: &Disconnect) {
        state.session = None;
        state.is_stuck = false;
        let mut unsent: HashMap<u64, VecDeque<Outgoing>> = HashMap::new();
        for packet in state.outbox.end() {
            if let Some(namespace) = packet.event_of {
                unsent.entry(namespace).or_default().push_back(packet);
            }
        }
        let reconnects = end.reconnects;
        let names: Vec<ByteString> = state.namespaces.keys().cloned().collect();
        for name in names {
            let Some(namespace) = state.namespaces.get_mut(&name) else { continue };
            let unsent = unsent.remove(&namespace.number).unwrap_or_default();
            let mut end = Disconnect { dropped: unsent.len(), ..end.clone() };
            let is_told = match namespace.phase {
                Phase::Out(_) => continue,
                Phase::Connected => true,
                Phase::Waiting | Phase::Asking | Phase::Connecting { .. } => {
                    !reconnects && !namespace.is_joining
                }
            };
            let given_up = if reconnects {
                let (dropped, answers) = namespace.wait_again(unsent, self.settings.away);
                end.dropped = dropped;
                GivenUp { answers, ..GivenUp::default() }
            } else {
                if matches!(end.reason, DisconnectReason::ClientDisconnect) {
                    end.dropped += namespace.away.len();
                }
                namespace.put_out(Out::Disconnected(end.clone()))
            };
            state.give_up(&name, given_up);
            self.tell(state, &name, is_told.then_some(Item::Disconnected(end)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::sync::Runtime;

    #[tokio::test(start_paused = true)]
    async fn a_runtime_that_ends_wakes_who_waits_until_a_client_without_namespaces_has_closed() {
        let client = Client::builder("http://127.0.0.1:9").build().unwrap();
        client.shared.lock().runtime = Some(Runtime::current());
        let running = Running::new(&client.shared);
        let closes = client.close();
        let ends = async { drop(running) };
        let both = async { tokio::join!(biased; closes, ends) };
        assert!(tokio::time::timeout(CLOSING_TIME, both).await.is_ok());
    }
}
