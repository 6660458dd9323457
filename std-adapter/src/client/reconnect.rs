//! One session after another.

use core::fmt;
use core::pin::Pin;
use core::time::Duration;

use eio_core::Instant;
use eio_core::backoff::Backoff;

use crate::client::Client;
use crate::client::error::ConnectError;
use crate::client::event::ClientEvent;
use crate::client::socket::ClientSocket;
use crate::client::state::Shared;

/// Opens a session, and when it has ended another one, with the delays of a [`Backoff`] in between.
///
/// Each is a session of its own, with its own sid: nothing that was sent in one is sent again in the next.
/// [`ClientSocket::take_unsent`] returns what never left, and the application knows whether that still matters.
///
/// What happens in between is told to [`ClientBuilder::on_event`](crate::ClientBuilder::on_event).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let server = eio_tokio::Server::builder(|mut socket: eio_tokio::Socket| async move {
/// #     let _ = socket.recv().await;
/// # }).build()?;
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let url = format!("ws://{}", listener.local_addr()?);
/// # tokio::spawn(async move { server.serve(listener).await });
/// use core::time::Duration;
/// use eio_core::backoff::Backoff;
/// use eio_tokio::Client;
///
/// let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30))?;
/// let mut sessions = Client::builder(url).build()?.reconnecting(backoff);
/// for _ in 0..2 {
///     let mut socket = sessions.next().await?;
///     socket.send("hello").await?;
///     let end = socket.recv().await.unwrap_err(); // this server hangs up after a message
///     println!("{end}, connecting again");
/// }
/// # Ok(())
/// # }
/// ```
pub struct Reconnecting {
    client: Client,
    backoff: Backoff,
    max_attempts: Option<u32>,
    phase: Phase,
}

enum Phase {
    /// The next attempt may begin, from this instant on.
    Waiting(Option<Instant>),
    Connecting(Pin<Box<dyn Future<Output = Result<ClientSocket, ConnectError>> + Send>>),
    /// A session was handed out.
    Open(Shared),
}

impl Reconnecting {
    pub(crate) fn new(client: Client, backoff: Backoff) -> Self {
        Self { client, backoff, max_attempts: None, phase: Phase::Waiting(None) }
    }

    /// Gives up after so many attempts without a stable session between them. Default: never.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// The next session. The first attempt is made at once; each later one after its delay, which counts from the end
    /// of the session before it. Waits for that end if it has not come.
    ///
    /// Dropping the future loses nothing: the next call goes on with the same delay, or the same attempt, which rests
    /// in between.
    ///
    /// # Errors
    /// The latest [`ConnectError`], once [`max_attempts`](Self::max_attempts) have been made. Calling again tries
    /// again.
    pub async fn next(&mut self) -> Result<ClientSocket, ConnectError> {
        loop {
            match &mut self.phase {
                Phase::Waiting(until) => {
                    if let Some(until) = until {
                        tokio::time::sleep_until(self.client.clock().deadline(*until)).await;
                    }
                    let client = self.client.clone();
                    self.phase = Phase::Connecting(Box::pin(async move { client.connect().await }));
                }
                Phase::Connecting(attempt) => match attempt.await {
                    Ok(socket) => {
                        self.backoff.handle_connected(self.client.clock().now());
                        self.phase = Phase::Open(Shared::clone(socket.state()));
                        return Ok(socket);
                    }
                    Err(error) => {
                        let attempts = self.backoff.attempts().saturating_add(1);
                        self.wait(self.client.clock().now());
                        if self.max_attempts.is_some_and(|most| attempts >= most) {
                            return Err(error);
                        }
                    }
                },
                Phase::Open(session) => {
                    session.closed().await;
                    let ended_at = session.lock().ended_at().unwrap_or_else(|| self.client.clock().now());
                    self.backoff.handle_disconnected(ended_at);
                    self.wait(ended_at);
                }
            }
        }
    }

    /// How many attempts have been made since the last stable session, the first of all not counted.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.backoff.attempts()
    }

    fn wait(&mut self, from: Instant) {
        // Without random bytes the longest delay is the kindest.
        let delay: Duration = self.backoff.next_delay(getrandom::u32().unwrap_or(u32::MAX));
        self.client.tell(&ClientEvent::Waiting { delay, attempt: self.backoff.attempts() });
        self.phase = Phase::Waiting(Some(from.saturating_add(delay)));
    }
}

impl fmt::Debug for Reconnecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnecting").field("backoff", &self.backoff).finish_non_exhaustive()
    }
}
