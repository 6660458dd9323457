//! Socket.IO: acknowledgements, rooms and namespaces, from several tasks at once.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use eio_schedules::{Clock, explore};
use eio_socketio::client::{Client, Incoming, Socket as ClientSocket};
use eio_socketio::{Data, Namespace, Recovery, Reply, Server, Socket};
use eio_tokio::test_util::Network;
use eio_tokio::{ClientSocket as Session, Transport};
use shuttle::future::JoinHandle;
use shuttle::{future, thread};

use crate::running::Tasks;

/// A server that serves.
struct Running {
    server: Server,
    network: Network,
    served: JoinHandle<std::io::Result<()>>,
}

impl Running {
    fn start(namespace: Namespace<()>) -> Self {
        Self::serve(Server::builder().namespace("/", namespace).build().unwrap())
    }

    fn serve(server: Server) -> Self {
        let network = Network::new();
        let listener = network.listen();
        let serving = server.clone();
        let served = future::spawn(async move { serving.serve(listener).await });
        Self { server, network, served }
    }

    fn client(&self) -> Client {
        let link = self.network.link();
        let engine =
            move |engine: eio_tokio::ClientBuilder| engine.link(&link).transports([Transport::WebSocket]);
        Client::builder("http://host.test").engine(engine).reconnection(false).build().unwrap()
    }

    /// Opens a session and joins `/` with this data. Returns the private identifier as well.
    async fn join(&self, auth: &str) -> (Session, String) {
        let builder = eio_tokio::Client::builder("http://host.test").path("/socket.io/");
        let client = builder.link(&self.network.link()).transports([Transport::WebSocket]);
        let mut session = client.build().unwrap().connect().await.unwrap();
        session.send(format!("0{auth}")).await.unwrap();
        let answer = text(&mut session).await;
        let pid = answer.split('"').nth(7).unwrap().to_owned();
        (session, pid)
    }

    async fn end(self) {
        let cut_off = self.server.shutdown(Duration::from_secs(60)).await;
        assert!(cut_off.is_empty(), "{cut_off:?}");
        self.served.await.unwrap().unwrap();
    }
}

/// The number that the next event carries, or `None` at the end.
async fn number(socket: &mut ClientSocket) -> Option<u32> {
    match socket.recv().await.ok()? {
        Incoming::Event { args, .. } => Some(args.first().unwrap()),
        _ => None,
    }
}

async fn text(session: &mut Session) -> String {
    session.recv().await.unwrap().as_text().unwrap().to_owned()
}

#[test]
fn each_acknowledgement_reaches_the_one_that_waits_for_it() {
    explore("each_acknowledgement_reaches_the_one_that_waits_for_it", "", Clock::Stands, || async {
        let double = |Data(number): Data<u32>| async move { Reply(2 * number) };
        let running = Running::start(Namespace::new().on("double", double));
        let client = running.client();
        let socket = client.join("/").await.unwrap();
        let asking = [3, 4, 5].map(|number| {
            let emitter = socket.emitter();
            future::spawn(async move {
                assert_eq!(emitter.emit_with_ack::<u32>("double", number).await.unwrap(), 2 * number);
            })
        });
        for one in asking {
            one.await.unwrap();
        }
        client.close().await;
        running.end().await;
    });
}

#[test]
fn events_of_a_room_come_once_and_in_order_while_others_leave() {
    explore("events_of_a_room_come_once_and_in_order_while_others_leave", "", Clock::Stands, || async {
        let join = |socket: Socket| async move {
            // One of the two may have left by then.
            if socket.join("room").is_ok() {
                let _ = socket.emit("joined", 0);
            }
        };
        let running = Running::start(Namespace::new().on_connect(join));
        let [stays, leaves] = [running.client(), running.client()];
        let (mut staying, leaving) = (stays.join("/").await.unwrap(), leaves.join("/").await.unwrap());
        assert_eq!(number(&mut staying).await, Some(0));
        let server = running.server.clone();
        let emitting = thread::spawn(move || {
            for number in 1..4_u32 {
                server.to("room").emit("number", number).unwrap();
            }
        });
        let leaving = future::spawn(async move { leaving.leave().await });
        for expected in 1..4 {
            assert_eq!(number(&mut staying).await, Some(expected));
        }
        leaving.await.unwrap();
        emitting.join().unwrap();
        stays.close().await;
        leaves.close().await;
        running.end().await;
    });
}

#[test]
fn a_socket_that_ends_from_both_sides_is_told_once_and_leaves_no_question_open() {
    let name = "a_socket_that_ends_from_both_sides_is_told_once_and_leaves_no_question_open";
    explore(name, "", Clock::Stands, || async {
        let ends = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&ends);
        let ended = move |_: Socket| {
            count.fetch_add(1, Ordering::SeqCst);
            async {}
        };
        let tasks = Tasks::default();
        let questions = tasks.clone();
        let ask = move |socket: Socket| {
            let asking = socket.clone();
            // Nobody answers it: it ends with the socket.
            questions.spawn(async move {
                asking.emit_with_ack::<u32>("question", ()).await.unwrap_err();
            });
            thread::spawn(move || socket.disconnect());
            async {}
        };
        let running = Running::start(Namespace::new().on_connect(ask).on_disconnect(ended));
        let client = running.client();
        if let Ok(mut socket) = client.join("/").await {
            let emitter = socket.emitter();
            let asking =
                future::spawn(async move { emitter.emit_with_ack::<u32>("nobody", ()).await.unwrap_err() });
            let closing = client.clone();
            let closing = future::spawn(async move { closing.close().await });
            while socket.recv().await.is_ok() {}
            asking.await.unwrap();
            closing.await.unwrap();
        }
        client.close().await;
        running.end().await;
        tasks.end().await;
        assert_eq!(ends.load(Ordering::SeqCst), 1);
    });
}

/// It has missed more than its outbox holds, and others go on sending.
#[test]
fn a_client_that_comes_back_gets_each_event_once_and_in_order() {
    explore("a_client_that_comes_back_gets_each_event_once_and_in_order", "", Clock::Stands, || async {
        let has_left = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&has_left);
        let left = move |_: Socket| {
            count.fetch_add(1, Ordering::SeqCst);
            async {}
        };
        let namespace = Namespace::<()>::new().on("hear", async || Reply("heard")).on_disconnect(left);
        let builder = Server::builder().recovery(Recovery::new()).namespace("/", namespace);
        let server = builder.engine(|engine| engine.outbox(2, 1 << 20)).build().unwrap();
        let running = Running::serve(server.clone());
        let (session, pid) = running.join("").await;
        let before = server.of("/").sockets().pop().unwrap();
        session.close();
        session.closed().await;
        // The socket may have ended, or not yet.
        before.emit("event", 0).unwrap();
        while has_left.load(Ordering::SeqCst) == 0 {
            future::yield_now().await;
        }
        before.emit("event", 1).unwrap();
        server.emit("event", 2).unwrap();
        let emitting = thread::spawn(move || {
            let is_sent = |number: &u32| server.emit("event", number).unwrap().full == 0;
            (3..7_u32).filter(is_sent).collect::<Vec<_>>()
        });
        let (mut session, same) = running.join(&format!("{{\"pid\":\"{pid}\"}}")).await;
        assert_eq!(same, pid);
        session.send("20[\"hear\"]").await.unwrap();
        let sent = emitting.join().unwrap();
        let (mut events, mut answers) = (Vec::new(), 0);
        while events.len() < 3 + sent.len() || answers == 0 {
            let packet = text(&mut session).await;
            match packet.strip_prefix("2[\"event\",") {
                Some(rest) => events.push(rest[..1].parse::<u32>().unwrap()),
                None => answers += usize::from(packet == "30[\"heard\"]"),
            }
        }
        assert_eq!(events, [&[0, 1, 2], &sent[..]].concat());
        session.close();
        session.closed().await;
        running.end().await;
    });
}
