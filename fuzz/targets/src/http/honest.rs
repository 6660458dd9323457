//! A client that keeps the rules, beside those that do not.

use core::time::Duration;

use eio_core::upgrade::UpgradeOutcome;
use eio_tokio::test_util::Network;
use eio_tokio::{Client, ClientEvent, ClientSocket, Message};
use tokio::time::{sleep, timeout};

use crate::reached;

/// How long bytes take in one direction, so that the upgrade goes on while messages are on their way.
const DELAY: Duration = Duration::from_millis(3);

/// Longer than all that the client does.
const LONG: Duration = Duration::from_mins(1);

const ROUNDS: usize = 4;
const MESSAGES: usize = 3;

pub(super) struct Honest {
    pub(super) sid: String,
    socket: ClientSocket,
}

impl Honest {
    /// Opens a session on polling, over a link that nobody else uses.
    pub(super) async fn open(network: &Network) -> Self {
        let link = network.link();
        link.set_delay(DELAY);
        let builder = Client::builder("http://server.test").link(&link).on_event(|event| {
            if let ClientEvent::UpgradeEnded(UpgradeOutcome::Upgraded) = event {
                reached::note("the honest client upgrades");
            }
        });
        let client = builder.build().expect("settings that fit");
        let socket = timeout(LONG, client.connect()).await.expect("an answer").expect("a session");
        Self { sid: socket.handshake().sid().to_owned(), socket }
    }

    /// Sends numbers, before, during and after the upgrade. Each comes back once, in order. Then closes the session.
    pub(super) async fn talk(self) {
        timeout(LONG, self.talk_at_leisure()).await.expect("the server answers");
    }

    async fn talk_at_leisure(mut self) {
        let mut next = 0;
        for round in 1..=ROUNDS {
            for number in next..round * MESSAGES {
                self.socket.send(honest(number)).await.expect("an open session");
            }
            while next < round * MESSAGES {
                let message = self.socket.recv().await.expect("an open session");
                // Others are sent to all.
                if let Message::Text(text) = message
                    && text.starts_with("honest ")
                {
                    assert_eq!(&*text, honest(next));
                    next += 1;
                }
            }
            sleep(DELAY).await;
        }
        self.socket.close();
        self.socket.closed().await;
    }
}

fn honest(number: usize) -> String {
    format!("honest {number}")
}
