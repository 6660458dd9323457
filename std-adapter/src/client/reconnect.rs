//! Opens sessions one after another.

use core::fmt;
use core::pin::Pin;
use core::time::Duration;
use std::sync::Arc;

use eio_core::Instant;
use eio_core::backoff::Backoff;
use http::StatusCode;

use crate::client::Client;
use crate::client::error::ConnectError;
use crate::client::event::ClientEvent;
use crate::client::kind::Session;
use crate::client::refusal::RefusalKind;
use crate::client::socket::ClientSocket;

/// Opens sessions one after another, with the delays of a [`Backoff`] between them.
///
/// Some refusals are final, because trying again will not change them: [`next`](Self::next) returns them at once. By
/// default these are the statuses 401, 403 and 404; [`final_statuses`](Self::final_statuses) sets others. Always final is
/// what says that the server does not speak the client's [revision](crate::RefusalKind::UnsupportedRevision) or offer its
/// [transport](crate::RefusalKind::UnknownTransport).
///
/// Over `ws` and `wss`, a refused token is tried again by default: when servers reject a WebSocket with a text, they answer
/// 400, which says nothing of the cause. Either let the server reject with a status of its own, such as 401, or make 400
/// final. [`set_client`](Self::set_client) continues with a new token.
///
/// If a server says how long to wait (`Retry-After`, which the server of this crate sends with 429 and 503), the client
/// makes no attempt before that.
///
/// Each session is independent and has its own sid: a message that was sent in one is not sent again in the next.
/// [`ClientSocket::take_unsent`] returns the messages that were never transmitted, and the application knows whether
/// they still matter.
///
/// [`ClientBuilder::on_event`](crate::ClientBuilder::on_event) receives the events between sessions.
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
/// use eio_tokio::{Backoff, Client};
///
/// let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30))?;
/// let mut sessions = Client::builder(url).build()?.reconnecting(backoff);
/// for _ in 0..2 {
///     let mut socket = sessions.next().await?;
///     socket.send("hello").await?;
///     let end = socket.recv().await.unwrap_err(); // this server hangs up after a message
///     println!("{end}, reconnecting");
/// }
/// # Ok(())
/// # }
/// ```
pub struct Reconnecting {
    client: Client,
    backoff: Backoff,
    max_attempts: Option<u32>,
    final_statuses: Vec<StatusCode>,
    longest_retry_after: Duration,
    /// The attempts since the last stable session.
    attempts: u32,
    phase: Phase,
}

enum Phase {
    /// The next attempt begins at this instant, or at once.
    Waiting {
        until: Option<Instant>,
        /// The wait was reported.
        is_reported: bool,
    },
    Connecting(Pin<Box<dyn Future<Output = Result<ClientSocket, ConnectError>> + Send>>),
    /// A session was handed out.
    Open(Arc<Session>),
}

impl Reconnecting {
    pub(crate) fn new(client: Client, backoff: Backoff) -> Self {
        Self {
            client,
            backoff,
            max_attempts: None,
            final_statuses: vec![StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND],
            longest_retry_after: Duration::from_hours(1),
            attempts: 0,
            phase: Phase::Waiting { until: None, is_reported: true },
        }
    }

    /// Sets the number of [`attempts`](Self::attempts) after which it gives up. Default: it never gives up.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// Sets which refusals are final when a session opens, by their status. Default: 401, 403 and 404. With an empty
    /// list, no status is final.
    ///
    /// A server that would refuse a request with 403 on polling may refuse its WebSocket with 400.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// use core::time::Duration;
    /// use eio_tokio::http::StatusCode;
    /// use eio_tokio::{Backoff, Client};
    ///
    /// let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30))?;
    /// let client = Client::builder("https://app.example").build()?;
    /// // A server that is being deployed answers 404 for a while.
    /// let sessions = client.reconnecting(backoff).final_statuses([StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN]);
    /// # drop(sessions);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn final_statuses(mut self, statuses: impl IntoIterator<Item = StatusCode>) -> Self {
        self.final_statuses = statuses.into_iter().collect();
        self
    }

    /// Sets the longest `Retry-After` that the client respects. Default: one hour.
    #[must_use]
    pub fn longest_retry_after(mut self, longest: Duration) -> Self {
        self.longest_retry_after = longest;
        self
    }

    /// Sets the client that makes all further attempts, such as one with a new token. The delays and the number of
    /// [attempts](Self::attempts) go on as they were. An attempt that is under way, because [`next`](Self::next) was
    /// dropped in the middle of it, still belongs to the old client.
    ///
    /// ```
    /// use eio_tokio::http::StatusCode;
    /// use eio_tokio::{Client, ClientBuildError, ClientSocket, ConnectError, Reconnecting};
    ///
    /// fn client(token: &str) -> Result<Client, ClientBuildError> {
    ///     Client::builder("https://app.example").header("Authorization", format!("Bearer {token}")).build()
    /// }
    ///
    /// async fn next(sessions: &mut Reconnecting) -> Result<ClientSocket, ConnectError> {
    ///     loop {
    ///         match sessions.next().await {
    ///             Err(ConnectError::Refused(refused)) if refused.status == StatusCode::UNAUTHORIZED => {
    ///                 sessions.set_client(client(&new_token().await)?);
    ///             }
    ///             opened => return opened,
    ///         }
    ///     }
    /// }
    /// # async fn new_token() -> String {
    /// #     String::new()
    /// # }
    /// ```
    pub fn set_client(&mut self, client: Client) {
        // The delays are counted on the old client's clock.
        self.client = Client { clock: self.client.clock, ..client };
    }

    /// Opens the next session. It makes the first attempt at once, and each later one after its delay, which counts
    /// from the end of the previous session. It waits for that end if necessary. If the server has said how long to
    /// wait, the delay comes on top of that.
    ///
    /// This method is cancel safe: the next call goes on with the same delay or the same attempt. The attempt goes on in
    /// between, as far as it can by itself: its session may open, and even end, before the next call returns it. Drop the
    /// `Reconnecting` to give the attempt up.
    ///
    /// # Errors
    /// Returns the latest [`ConnectError`] after [`max_attempts`](Self::max_attempts), or if it is final: a refusal
    /// with one of the [final statuses](Self::final_statuses), another revision or transport, or invalid settings. Calling
    /// again tries again, after the delay.
    pub async fn next(&mut self) -> Result<ClientSocket, ConnectError> {
        loop {
            match &mut self.phase {
                Phase::Waiting { until, is_reported } => {
                    if let Some(until) = *until {
                        if !core::mem::replace(is_reported, true) {
                            let delay = until.saturating_duration_since(self.client.clock().now());
                            let attempt = self.attempts.saturating_add(1);
                            self.client.tell(&ClientEvent::Waiting { delay, attempt });
                        }
                        tokio::time::sleep_until(self.client.clock().deadline(until)).await;
                    }
                    self.attempts = self.attempts.saturating_add(1);
                    let client = self.client.clone();
                    self.phase = Phase::Connecting(Box::pin(async move { client.connect().await }));
                }
                Phase::Connecting(attempt) => match attempt.await {
                    Ok(socket) => {
                        self.backoff.handle_connected(self.client.clock().now());
                        self.phase = Phase::Open(Arc::clone(socket.shared()));
                        return Ok(socket);
                    }
                    Err(error) => {
                        self.wait(self.client.clock().now(), Some(&error));
                        if self.is_final(&error)
                            || self.max_attempts.is_some_and(|most| self.attempts >= most)
                        {
                            return Err(error);
                        }
                    }
                },
                Phase::Open(session) => {
                    session.ended().await;
                    let (ended_at, failure) = {
                        let session = session.lock();
                        (session.slots.ended_at, session.slots.failure.as_deref().cloned())
                    };
                    let ended_at = ended_at.unwrap_or_else(|| self.client.clock().now());
                    if self.backoff.handle_disconnected(ended_at) {
                        self.attempts = 0;
                    }
                    self.wait(ended_at, failure.as_ref());
                }
            }
        }
    }

    /// Returns the number of attempts since the last stable session, or since the beginning. The first attempt counts, and
    /// so does one that has opened a session.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns whether another attempt would fail in the same way.
    fn is_final(&self, error: &ConnectError) -> bool {
        match error {
            ConnectError::Refused(refused) => {
                let never = matches!(
                    refused.kind(),
                    RefusalKind::UnsupportedRevision | RefusalKind::UnknownTransport
                );
                never || self.final_statuses.contains(&refused.status)
            }
            ConnectError::Build(_) | ConnectError::OtherRevision { .. } => true,
            _ => false,
        }
    }

    /// Sets when the next attempt begins.
    fn wait(&mut self, from: Instant, because: Option<&ConnectError>) {
        // Without random bytes, use the longest delay.
        let backoff: Duration = self.backoff.next_delay(getrandom::u32().unwrap_or(u32::MAX));
        let asked = match because {
            Some(ConnectError::Refused(refused)) => refused.retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        // The delay is added, so that clients with the same `Retry-After` do not all reconnect at the same time.
        let delay = backoff.saturating_add(asked.min(self.longest_retry_after));
        self.phase = Phase::Waiting { until: Some(from.saturating_add(delay)), is_reported: false };
    }
}

impl fmt::Debug for Reconnecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnecting").field("backoff", &self.backoff).finish_non_exhaustive()
    }
}
