//! A session may live and say nothing for longer than an interval and a timeout. Whatever its policy, no node ends it.

use core::time::Duration;

use eio_tokio::test_util::{Link, NetworkStream};
use eio_tokio::{DisconnectReason as Reason, Heartbeat, Liveness, ServerBuilder};
use tokio::io::{ReadHalf, WriteHalf, split};
use tokio::time::{Instant, sleep, sleep_until};

use crate::support::{ASLEEP, Way, World, ask, get, ms, open, receive, send, upgrade};

/// The ping interval, and a ping timeout that is longer.
const I: Duration = Duration::from_secs(5);
const T: Duration = Duration::from_secs(20);

fn world(configure: impl Fn(ServerBuilder) -> ServerBuilder) -> World {
    let heartbeat = Heartbeat::new(I, T).unwrap();
    World::with(move |builder| configure(builder.heartbeat(heartbeat)), |builder| builder)
}

/// Nobody but the session itself has ended anything.
fn assert_nothing_was_cut(world: &World) {
    let counts = world.b.forwarder.counts();
    assert_eq!((counts.failed, counts.silent, world.a.server.len()), (0, 0, 1));
}

/// What a client by hand says.
struct Says(Carried<WriteHalf<NetworkStream>>);

/// What it hears.
struct Hears(Carried<ReadHalf<NetworkStream>>);

enum Carried<H> {
    Polling(Link, String),
    WebSocket(H),
}

impl Says {
    async fn say(&mut self, packets: &str) {
        match &mut self.0 {
            Carried::WebSocket(half) => {
                for packet in packets.split('\u{1e}') {
                    send(half, packet).await;
                }
            }
            Carried::Polling(link, query) => {
                let post = get(query).replacen("GET", "POST", 1);
                let body = format!("\r\ncontent-length: {}\r\n\r\n{packets}", packets.len());
                let (status, _, body) = ask(link, &post.replace("\r\n\r\n", &body)).await;
                assert_eq!((status, body.as_str()), (200, "ok"));
            }
        }
    }
}

impl Hears {
    async fn next(&mut self) -> String {
        match &mut self.0 {
            Carried::WebSocket(half) => receive(half).await,
            Carried::Polling(link, query) => ask(link, &get(query)).await.2,
        }
    }
}

/// A client whose session is on another node than its requests come to.
async fn client(world: &World, way: Way) -> (Says, Hears) {
    let link = world.link();
    let sid = open(&link).await;
    if way == Way::Upgrade {
        let (hears, says) = split(upgrade(&link, &sid).await);
        return (Says(Carried::WebSocket(says)), Hears(Carried::WebSocket(hears)));
    }
    let query = format!("polling&sid={sid}");
    (Says(Carried::Polling(link.clone(), query.clone())), Hears(Carried::Polling(link, query)))
}

#[tokio::test(start_paused = true)]
async fn a_packet_that_extends_the_timeout_extends_the_silence_of_the_node() {
    for way in Way::BOTH {
        let world = world(|builder| builder.liveness(Liveness::ExtendOnce));
        let (mut says, mut hears) = client(&world, way).await;
        assert_eq!(hears.next().await, "2");
        let pinged = Instant::now();
        let (next, ()) = tokio::join!(hears.next(), async {
            sleep_until(pinged + T - ms(100)).await;
            says.say("4quiet").await;
            sleep_until(pinged + 2 * T - ms(200)).await;
            says.say("3").await;
        });
        assert_eq!(next, "2", "{way:?}");
        assert!(pinged.elapsed() > I + T + Duration::from_secs(10));
        assert_nothing_was_cut(&world);
    }
}

#[tokio::test(start_paused = true)]
async fn where_any_packet_counts_messages_alone_keep_a_session() {
    for way in Way::BOTH {
        let world = world(|builder| builder.liveness(Liveness::AnyPacket));
        let (mut says, mut hears) = client(&world, way).await;
        assert_eq!(hears.next().await, "2");
        let (next, ()) = tokio::join!(hears.next(), async {
            for _ in 0..100 {
                sleep(I).await;
                says.say("4quiet").await;
            }
            says.say("4at last").await;
        });
        assert_eq!(next, "4at last", "{way:?}");
        assert_nothing_was_cut(&world);
    }
}

#[tokio::test(start_paused = true)]
async fn while_an_application_does_not_read_its_session_is_not_cut() {
    for liveness in Liveness::ALL {
        for way in Way::BOTH {
            let world =
                world(|builder| builder.liveness(liveness).inbox(1, 100).app_stall_timeout(2 * ASLEEP));
            let (mut says, mut hears) = client(&world, way).await;
            let begun = Instant::now();
            let (pings, ()) = tokio::join!(async { (hears.next().await, hears.next().await) }, async {
                // The second message fills the inbox. What follows is not read, and a post is not answered.
                says.say("4sleep\u{1e}4quiet\u{1e}4quiet").await;
                sleep_until(begun + I + ms(100)).await;
                says.say("3").await;
            });
            assert_eq!(pings, ("2".to_owned(), "2".to_owned()), "{liveness} {way:?}");
            assert!(begun.elapsed() >= ASLEEP, "{liveness} {way:?}");
            assert_nothing_was_cut(&world);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_cannot_be_asked_now_has_not_lost_the_session() {
    let heartbeat = Heartbeat::new(I, T).unwrap();
    let world = World::with(
        |builder| builder.heartbeat(heartbeat).liveness(Liveness::AnyPacket),
        |builder| builder.max_connections(1),
    );
    let (mut says, _hears) = client(&world, Way::Upgrade).await;
    for _ in 0..20 {
        sleep(I).await;
        says.say("4quiet").await;
    }
    assert_nothing_was_cut(&world);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_dead_is_noticed_within_the_same_bound_by_each_policy() {
    for liveness in Liveness::ALL {
        let world = world(|builder| builder.liveness(liveness));
        let link = world.link();
        let sid = open(&link).await;
        let mut stream = upgrade(&link, &sid).await;
        send(&mut stream, "4quiet").await;
        let died = Instant::now();
        link.cut();
        let (at, end) = world.a.ends.next().await;
        assert_eq!(end.reason, Reason::PingTimeout, "{liveness}");
        assert!(at - died <= I + T, "{liveness} {:?}", at - died);
        sleep(ms(10)).await;
        assert_eq!(world.b.forwarder.counts().websockets, 0);
    }
}
