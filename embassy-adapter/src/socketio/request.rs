//! Events whose answer is waited for.

use core::time::Duration;

use eio_core::socketio::Args;
use embassy_time::{Instant, with_deadline};
use embedded_io_async::{Read, Write};

use super::{Alone, Incoming, Recover, Socket, SocketError};
use crate::clock;

/// An event that was emitted and whose answer is due. It belongs to the socket, or to the namespaces, that emitted it:
/// after a reconnect, numbers begin anew and the server has forgotten the question.
///
/// [`Socket::answer`] waits for the answer. A loop of your own can wait for several:
///
/// ```no_run
/// use core::time::Duration;
/// use eio_embassy::socketio::{Incoming, Socket, SocketError};
/// use embassy_time::with_deadline;
/// # use embedded_io_async::{Read, Write};
///
/// # async fn example<R: Read, W: Write>(mut socket: Socket<'_, '_, R, W>) -> Result<(), SocketError> {
/// let mut save = Some(socket.emit_with_timeout("save", "21.5", Duration::from_secs(5)).await?);
/// loop {
///     let incoming = match save {
///         Some(pending) => match with_deadline(pending.deadline(), socket.recv()).await {
///             Ok(incoming) => incoming?,
///             Err(_timeout) => {
///                 save = None; // not saved in time: an answer that still comes has a number that nobody knows
///                 continue;
///             }
///         },
///         None => socket.recv().await?,
///     };
///     match incoming {
///         Incoming::Ack { id, .. } if save.is_some_and(|pending| pending.id() == id) => save = None,
///         _ => {}
///     }
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Pending {
    id: u64,
    deadline: Instant,
}

impl Pending {
    pub(super) const fn new(id: u64, deadline: Instant) -> Self {
        Self { id, deadline }
    }

    pub(super) fn deadline_after(timeout: Duration) -> Instant {
        clock::after(timeout)
    }

    /// Returns the number that the answer carries.
    #[must_use]
    pub const fn id(self) -> u64 {
        self.id
    }

    /// Returns when the answer is due, on embassy-time's clock.
    #[must_use]
    pub const fn deadline(self) -> Instant {
        self.deadline
    }
}

/// The server's answer to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Answer<'a> {
    /// The arguments of the answer.
    pub args: Args<'a>,
    /// How many [`Incoming::Attachment`]s [`Socket::recv`] returns next.
    pub attachments: u32,
}

impl<R: Read, W: Write, M: Recover> Socket<'_, '_, R, W, Alone<M>> {
    /// Emits an event and waits for its answer, at most `timeout` from now. Keeps the session alive meanwhile.
    ///
    /// Whatever else arrives before the answer is passed to `other`, in its order, as [`recv`](Self::recv) would return
    /// it: nothing is kept for later, because there is no memory for it, and nothing is lost. `other` cannot send. If an
    /// event in it asks for an answer, note its number and call [`ack`](Self::ack) afterwards. Nothing is received while
    /// the event itself waits for room in the send buffer.
    ///
    /// If the future is dropped, the event may have been sent. Its answer then arrives as an [`Incoming::Ack`] whose
    /// number you do not know. To wait again after that, use [`emit_with_timeout`](Self::emit_with_timeout) and
    /// [`answer`](Self::answer).
    ///
    /// ```no_run
    /// use core::time::Duration;
    /// use eio_embassy::socketio::{Incoming, Socket, SocketError};
    /// # use embedded_io_async::{Read, Write};
    ///
    /// # async fn example<R: Read, W: Write>(mut socket: Socket<'_, '_, R, W>) -> Result<(), SocketError> {
    /// let mut led = None;
    /// let saved = socket.request("save", "21.5", Duration::from_secs(5), |incoming| match incoming {
    ///     Incoming::Event { event, .. } if event.is("led") => led = Some(event.args().as_str() == "true"),
    ///     _ => {}
    /// });
    /// match saved.await {
    ///     Ok(answer) => assert_eq!(answer.args.as_str(), "\"ok\""),
    ///     Err(SocketError::AckTimeout) => { /* it may have been saved, or not: ask again */ }
    ///     Err(other) => return Err(other),
    /// }
    /// # let _ = led;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The same as [`emit`](Self::emit) and [`recv`](Self::recv). [`SocketError::AckTimeout`] if the server has not
    /// answered in time. A late answer then arrives as an [`Incoming::Ack`] with a number that nothing waits for.
    pub async fn request(
        &mut self,
        name: &str,
        args: &str,
        timeout: Duration,
        other: impl FnMut(Incoming<'_>),
    ) -> Result<Answer<'_>, SocketError> {
        let pending = self.emit_with_timeout(name, args, timeout).await?;
        self.answer(pending, other).await
    }

    /// Waits for the answer to an event of [`emit_with_timeout`](Self::emit_with_timeout) until it is due. Whatever
    /// arrives before it is passed to `other`, as by [`request`](Self::request).
    ///
    /// If the future is dropped, call the method again: nothing is lost.
    ///
    /// # Errors
    /// The same as [`recv`](Self::recv). [`SocketError::AckTimeout`] if the server has not answered in time.
    pub async fn answer(
        &mut self,
        pending: Pending,
        mut other: impl FnMut(Incoming<'_>),
    ) -> Result<Answer<'_>, SocketError> {
        let answered = with_deadline(pending.deadline, async {
            loop {
                match self.recv().await? {
                    Incoming::Ack { id, .. } if id == pending.id => return Ok(()),
                    incoming => other(incoming),
                }
            }
        });
        answered.await.unwrap_or(Err(SocketError::AckTimeout))?;
        match self.incoming() {
            Some(Incoming::Ack { args, attachments, .. }) => Ok(Answer { args, attachments }),
            // Cannot happen: the answer has just arrived.
            _ => Err(SocketError::TooLong),
        }
    }
}
