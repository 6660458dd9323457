//! Carries the bytes of a forwarded WebSocket in both directions, and the end of each side to the other.

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;

use eio_tokio::UpgradedStream;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::forward::dial::Link;
use crate::forward::question::{Asking, LOOK_AGAIN, Question};
use crate::forward::tunnels::{Phase, Tunnel};
use crate::forward::way::{Receiver, Way};

/// How long the last bytes of TLS may take behind the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// How a forwarded WebSocket ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("both sides have closed")]
    Closed,
    #[error("one side failed, so the other one was reset: {0}")]
    Failed(io::Error),
    /// Both sides were reset.
    #[error(
        "the node was silent, or the client took nothing, for {0:?}, and the node does not say that the session lives"
    )]
    Silent(Duration),
    /// Both sides were reset.
    #[error("the node has closed it, and the client has not for {0:?}")]
    Unclosed(Duration),
    #[error("this node has closed it, because it leaves")]
    Left,
    #[error("this node has dropped it, because it leaves and one side did not close in time")]
    CutOff,
}

/// Carries the bytes until both sides have ended or one fails. A client that does not close for `silence` after the node is
/// reset. If nothing comes from a node that has not closed for longer than `silence`, it is [asked](Question::ask) whether the
/// session lives. `received` came from the node behind its answer.
pub(super) async fn relay(
    client: UpgradedStream,
    node: Link,
    received: &[u8],
    silence: Duration,
    tunnel: &Tunnel,
    question: &Question,
) -> Ended {
    let mut relay = Relay {
        client,
        node,
        up: Way::new(&[], Receiver::Node),
        down: Way::new(received, Receiver::Client),
        silence,
        moved_at: Instant::now(),
        doubt: Doubt::None,
    };
    let mut gone = pin!(tunnel.reaches(Phase::Gone));
    let ended = {
        let mut timer = pin!(sleep(silence));
        let mut leaving = pin!(tunnel.reaches(Phase::Leaving));
        let mut is_leaving = false;
        poll_fn(|cx| {
            if !is_leaving && leaving.as_mut().poll(cx).is_ready() {
                is_leaving = true;
                relay.up.leave();
                relay.down.leave();
            }
            if let Poll::Ready(ended) = relay.poll(cx, timer.as_mut(), question) {
                return Poll::Ready(ended);
            }
            gone.as_mut().poll(cx).map(|()| Ended::CutOff)
        })
        .await
    };
    let Relay { mut client, mut node, .. } = relay;
    if let Ended::Closed | Ended::Left = ended {
        let farewell = timeout(FAREWELL, async {
            let _ = client.shutdown().await;
            let _ = node.shutdown().await;
        });
        tokio::select! {
            biased;
            _ = farewell => {}
            () = gone => {}
        }
    } else {
        client.reset();
        node.reset();
    }
    ended
}

struct Relay {
    client: UpgradedStream,
    node: Link,
    /// From the client to the node.
    up: Way,
    /// From the node to the client.
    down: Way,
    silence: Duration,
    /// When the node was last heard, the client last took what it said, or the node last said that the session lives.
    moved_at: Instant,
    doubt: Doubt,
}

/// Whether the session lives, as far as the bytes tell.
enum Doubt {
    None,
    /// The node was silent for too long, and is asked.
    Asked(Asking),
    /// It does not say that the session lives. Its last bytes may be on their way.
    Dead,
}

impl Relay {
    /// Moves all that is ready, and looks at the clock only then.
    fn poll(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>, question: &Question) -> Poll<Ended> {
        let moved = match self.down.poll_move(cx, &mut self.node, &mut self.client) {
            Ok(moved) => moved,
            Err(error) => return Poll::Ready(Ended::Failed(error)),
        };
        if let Err(error) = self.up.poll_move(cx, &mut self.client, &mut self.node) {
            return Poll::Ready(Ended::Failed(error));
        }
        if self.up.has_ended() && self.down.has_ended() {
            return Poll::Ready(Ended::Closed);
        }
        if self.up.has_left() && self.down.has_left() {
            return Poll::Ready(Ended::Left);
        }
        if moved {
            self.is_alive();
        }
        loop {
            if let Doubt::Asked(asking) = &mut self.doubt {
                if ready!(asking.as_mut().poll(cx)) {
                    self.is_alive();
                } else {
                    self.doubt = Doubt::Dead;
                    timer.as_mut().reset(Instant::now() + LOOK_AGAIN);
                }
            }
            ready!(timer.as_mut().poll(cx));
            let due = self.moved_at + self.silence;
            match self.doubt {
                Doubt::Dead => return Poll::Ready(Ended::Silent(self.silence)),
                _ if Instant::now() < due => timer.as_mut().reset(due),
                // A session that has moved to another connection may live for long, but not here.
                _ if self.down.has_ended() => return Poll::Ready(Ended::Unclosed(self.silence)),
                _ => self.doubt = Doubt::Asked(question.ask()),
            }
        }
    }

    fn is_alive(&mut self) {
        self.moved_at = Instant::now();
        self.doubt = Doubt::None;
    }
}
