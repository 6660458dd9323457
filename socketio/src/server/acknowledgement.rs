//! The answer of one client.

use core::marker::PhantomData;
use core::pin::Pin;
use std::future::IntoFuture;
use std::time::Duration;

use bytestring::ByteString;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::args::{EncodeError, FromArgs, RawArgs};
use crate::errors::AckError;
use crate::errors::EmitError;
use crate::packet::Body;
use crate::parser::Encoded;
use crate::server::socket::Socket;

/// The answer of a client to an event. The event was sent when this was made, and `.await` returns the answer. See
/// [`Socket::emit_with_ack`].
///
/// Dropping it gives up the answer, and not the event.
#[must_use = "the event is sent, and its answer is given up"]
#[derive(Debug)]
pub struct Acknowledgement<T> {
    asked: Result<Asked, EmitError>,
    began: Instant,
    timeout: Duration,
    answer: PhantomData<fn() -> T>,
}

impl<T> Acknowledgement<T> {
    pub(crate) fn new(socket: Socket, event: ByteString, args: Result<RawArgs, EncodeError>) -> Self {
        let timeout = socket.link().server.ack_timeout;
        Self { asked: ask(socket, event, args), began: Instant::now(), timeout, answer: PhantomData }
    }

    /// Sets how long to wait for the answer, from when the event was sent.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

fn ask(socket: Socket, event: ByteString, args: Result<RawArgs, EncodeError>) -> Result<Asked, EmitError> {
    let id = socket.link().server.next_ack();
    let encoded = socket.space().encode(Body::Event { name: event, args: args?, id: Some(id) })?;
    Asked::new(socket, id, encoded, false)
}

impl<T: FromArgs> Acknowledgement<T> {
    async fn answered(self) -> Result<T, AckError> {
        let left = self.timeout.saturating_sub(self.began.elapsed());
        match tokio::time::timeout(left, self.asked?.answer()).await {
            Ok(args) => Ok(T::from_args(&args?)?),
            Err(_) => Err(AckError::Timeout),
        }
    }
}

impl<T: FromArgs + 'static> IntoFuture for Acknowledgement<T> {
    type Output = Result<T, AckError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.answered())
    }
}

/// An event that was sent and is not answered. The socket forgets it when this is dropped.
#[derive(Debug)]
pub(crate) struct Asked {
    socket: Socket,
    id: u64,
    answer: oneshot::Receiver<RawArgs>,
}

impl Asked {
    /// Sends the event `id`. A client that has no room for it may be [closed](crate::WhenFull::Close), unless the event is
    /// volatile.
    pub(crate) fn new(
        socket: Socket,
        id: u64,
        encoded: Encoded,
        is_volatile: bool,
    ) -> Result<Self, EmitError> {
        // Before the event is sent, because the answer may be fast.
        let answer = socket.with_acks(|acks| acks.insert(id)).ok_or(EmitError::Disconnected)?;
        let asked = Self { socket, id, answer };
        let link = asked.socket.link();
        if is_volatile {
            link.send_volatile(encoded).then_some(()).ok_or(EmitError::Full)?;
        } else {
            link.send_or_close(encoded)?;
        }
        Ok(asked)
    }

    /// Waits for the answer.
    pub(crate) async fn answer(mut self) -> Result<RawArgs, AckError> {
        (&mut self.answer).await.map_err(|_| AckError::Disconnected)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.socket.with_acks(|acks| acks.forget(self.id));
    }
}

#[cfg(test)]
mod tests {
    use eio_tokio::{Client, Transport};

    use super::*;
    use crate::{Namespace, Server};

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_waits_for_any_more_is_forgotten() {
        const SECOND: Duration = Duration::from_secs(1);
        let server = Server::builder().namespace("/", Namespace::<()>::new()).build().unwrap();
        let engine = server.engine().clone();
        let client =
            Client::builder("http://server.test").path("/socket.io/").transports([Transport::WebSocket]);
        let client = client.connector(move |_, _| {
            let (ours, theirs) = tokio::io::duplex(4_096);
            let engine = engine.clone();
            tokio::spawn(async move { engine.serve_connection(theirs, None).await });
            core::future::ready(std::io::Result::Ok(ours))
        });
        let mut client = client.build().unwrap().connect().await.unwrap();
        client.send("0").await.unwrap();
        client.recv().await.unwrap();
        let socket = server.of("/").sockets().pop().unwrap();
        let ask = || socket.emit_with_ack::<u8>("ready?", ()).into_future();
        let waiting = || socket.with_acks(|acks| acks.len());
        let mut asking = socket.emit_with_ack::<u8>("ready?", ()).timeout(SECOND).into_future();
        assert!(tokio::time::timeout(SECOND / 2, &mut asking).await.is_err());
        assert_eq!(waiting(), Some(1));
        assert_eq!(asking.await, Err(AckError::Timeout));
        assert_eq!(waiting(), Some(0));
        // The future may be dropped before.
        assert!(tokio::time::timeout(SECOND, ask()).await.is_err());
        assert_eq!(waiting(), Some(0));
    }
}
