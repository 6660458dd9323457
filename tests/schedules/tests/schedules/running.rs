//! A server on a network in memory, whose sessions are counted, and clients of it.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use eio_schedules::Clock;
use eio_tokio::test_util::Network;
use eio_tokio::{
    Client, ClientSocket, CutOff, Disconnect, DisconnectReason, Observer, Sender, Server, ServerBuilder,
    SessionId, Transport,
};
use shuttle::future::JoinHandle;

/// The ways in which sessions are carried, by what the client may use. An upgrade takes time: a server waits for 100 ms
/// before it releases a poll.
pub(crate) const WAYS: [(&str, &[Transport], Clock); 3] = [
    ("over WebSocket", &[Transport::WebSocket], Clock::Stands),
    ("over polling", &[Transport::Polling], Clock::Stands),
    ("during an upgrade", &[Transport::Polling, Transport::WebSocket], Clock::Moves),
];

/// A server that serves.
pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) network: Network,
    lives: Arc<Lives>,
    served: JoinHandle<std::io::Result<()>>,
}

/// How often which session has opened and ended.
#[derive(Debug, Default)]
struct Lives(Mutex<Vec<(SessionId, Life)>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Opened,
    Closed(DisconnectReason),
    CleanedUp,
}

impl Lives {
    fn note(&self, id: SessionId, life: Life) {
        self.0.lock().unwrap().push((id, life));
    }
}

struct Counting(Arc<Lives>);

impl Observer for Counting {
    fn opened(&self, session: &Sender) {
        self.0.note(session.id(), Life::Opened);
    }

    fn closed(&self, id: SessionId, end: &Disconnect) {
        self.0.note(id, Life::Closed(end.reason));
    }
}

/// Tasks that may outlive the one that starts them. Nobody notices a task that waits for ever unless somebody awaits it.
#[derive(Clone, Default)]
pub(crate) struct Tasks(Arc<Mutex<Vec<JoinHandle<()>>>>);

impl Tasks {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap().push(shuttle::future::spawn(task));
    }

    /// Waits for the end of all of them.
    pub(crate) async fn end(self) {
        let tasks = core::mem::take(&mut *self.0.lock().unwrap());
        for task in tasks {
            task.await.unwrap();
        }
    }
}

impl Running {
    pub(crate) fn start(builder: ServerBuilder) -> Self {
        let lives = Arc::<Lives>::default();
        let cleaned_up = Arc::clone(&lives);
        let clean_up = move |session: Sender, _| {
            cleaned_up.note(session.id(), Life::CleanedUp);
            async {}
        };
        let server = builder.observer(Counting(Arc::clone(&lives))).on_disconnect(clean_up).build().unwrap();
        let network = Network::new();
        let listener = network.listen();
        let serving = server.clone();
        let served = shuttle::future::spawn(async move { serving.serve(listener).await });
        Self { server, network, lives, served }
    }

    /// A client with a link of its own.
    pub(crate) fn client(&self, transports: &[Transport]) -> Client {
        let client = Client::builder("http://host.test").link(&self.network.link());
        client.transports(transports.iter().copied()).build().unwrap()
    }

    pub(crate) async fn connect(&self, transports: &[Transport]) -> ClientSocket {
        self.client(transports).connect().await.unwrap()
    }

    /// Shuts the server down, without its limits, as the clock stands still. Each session has then opened, ended and been
    /// cleaned up after, once and in this order.
    pub(crate) async fn end(self) {
        let cut_off = self.end_within(Duration::from_secs(60)).await;
        assert!(cut_off.is_empty(), "{cut_off:?}");
    }

    /// The same, with this limit. Returns what was cut off.
    pub(crate) async fn end_within(self, limit: Duration) -> CutOff {
        let cut_off = self.server.shutdown(limit).await;
        self.served.await.unwrap().unwrap();
        assert!(self.server.is_empty());
        let lives = core::mem::take(&mut *self.lives.0.lock().unwrap());
        for (id, _) in &lives {
            let of_one: Vec<Life> =
                lives.iter().filter(|(other, _)| other == id).map(|(_, life)| *life).collect();
            let [Life::Opened, Life::Closed(reason), Life::CleanedUp] = of_one[..] else {
                panic!("{of_one:?}")
            };
            // An application of a scenario panics where something is not as it must be.
            assert_ne!(reason, DisconnectReason::ApplicationPanicked);
        }
        cut_off
    }
}
