//! A simulated world: two ends of a session, a network between them, and a clock that jumps.
//!
//! Stories read like timetables:
//!
//! ```
//! use eio_core::{DisconnectReason, Heartbeat};
//! use eio_tests::world::{World, ms};
//!
//! let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(0));
//! world.client.mute();
//! world.run_until(ms(44_999));
//! world.server.assert_open();
//! world.run_until(ms(45_000));
//! world.server.assert_ended(DisconnectReason::PingTimeout);
//! ```
//!
//! Nothing sleeps: time jumps to the next moment at which anything happens. And nothing is believed:
//!
//! - Each session runs at several epochs of its clock at once ([`EPOCHS`]), and must do the same at all of them.
//! - After every call the rules that every machine keeps are checked: while it has not ended it has a deadline; asking
//!   for it changes nothing; early and repeated calls do nothing; the deadline's call moves on; time that goes
//!   backwards stands still; the end never changes, and at most one `close` follows it.
//! - An oracle beside each session works out from the facts alone when it is due, when silence may end it and when
//!   it must, what it owes and whether it lets a message go; after every call the session must agree.
//! - A world that never comes to rest at one moment fails.
//!
//! Whatever fails prints the timeline of the story.

mod clock;
mod end;
mod lanes;
mod letter;
mod link;
mod machine;
mod oracle;
mod scene;
mod subjects;

use core::time::Duration;

use eio_core::packet::{Packet, PacketType};
use eio_core::{ClientSession, Heartbeat, Instant, Liveness, Revision, ServerSession};

pub use eio_sim::Random;
pub use end::End;
use lanes::Lanes;
pub use lanes::{EPOCHS, LAST_NOW};
pub use letter::Body;
pub use link::Link;
pub use machine::{Legacy, Machine};
use oracle::Oracle;
pub use oracle::Role;
use scene::Scene;
pub use subjects::Happened;
use subjects::Session;

/// The most turns at one moment.
const TURNS_AT_ONCE: u32 = 1_000;

/// How long the clients of a world wait for their handshake.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(20);

/// `millis` milliseconds.
#[must_use]
pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Whole microseconds, rounded down. No story lasts 2^63 of them.
pub(crate) const fn micros(duration: Duration) -> u64 {
    let micros = duration.as_micros();
    #[expect(clippy::cast_possible_truncation, reason = "compared with the maximum in the same expression")]
    if micros > i64::MAX as u128 { i64::MAX.cast_unsigned() } else { micros as u64 }
}

/// Two ends and a network.
#[derive(Debug)]
pub struct World {
    /// The server's end.
    pub server: End,
    /// The client's end.
    pub client: End,
    /// What the client writes travels here.
    pub to_server: Link,
    /// What the server writes travels here.
    pub to_client: Link,
    scene: Scene,
    plan: Plan,
}

/// What a world is made of.
#[derive(Clone, Debug)]
struct Plan {
    revision: Revision,
    heartbeat: Heartbeat,
    liveness: Liveness,
    timeout_at_most: Option<Duration>,
    first_ping_after: Option<Duration>,
    epochs: Vec<u64>,
    server_is_script: bool,
    client_is_script: bool,
    /// The handshake is done at time zero.
    connected: bool,
}

/// Making a world. What is made before time runs begins at time zero.
impl World {
    /// A server and a client of revision 4 whose handshake was done at time zero.
    #[must_use]
    #[track_caller]
    pub fn connected(heartbeat: Heartbeat) -> Self {
        Self::planned(Plan {
            revision: Revision::V4,
            heartbeat,
            liveness: Liveness::default(),
            timeout_at_most: None,
            first_ping_after: None,
            epochs: EPOCHS.to_vec(),
            server_is_script: false,
            client_is_script: false,
            connected: true,
        })
    }

    /// A server, opened at time zero, whose client does what the story says.
    #[must_use]
    #[track_caller]
    pub fn server_alone(heartbeat: Heartbeat) -> Self {
        Self::connected(heartbeat).replan(|plan| plan.client_is_script = true)
    }

    /// A client, opened at time zero, whose server does what the story says.
    #[must_use]
    #[track_caller]
    pub fn client_alone(heartbeat: Heartbeat) -> Self {
        Self::connected(heartbeat).replan(|plan| plan.server_is_script = true)
    }

    /// A client that has connected at time zero and waits for the handshake of a server that does what the story
    /// says.
    #[must_use]
    #[track_caller]
    pub fn client_opening() -> Self {
        Self::client_alone(Heartbeat::DEFAULT).replan(|plan| plan.connected = false)
    }

    /// The same in revision 3.
    #[must_use]
    #[track_caller]
    pub fn eio3(self) -> Self {
        self.revision(Revision::V3)
    }

    /// The same in this revision.
    #[must_use]
    #[track_caller]
    pub fn revision(self, revision: Revision) -> Self {
        self.replan(|plan| plan.revision = revision)
    }

    /// The same with this rule of the server's about what counts as life.
    #[must_use]
    #[track_caller]
    pub fn liveness(self, liveness: Liveness) -> Self {
        self.replan(|plan| plan.liveness = liveness)
    }

    /// The same with a client that is stricter than the handshake.
    #[must_use]
    #[track_caller]
    pub fn client_timeout_at_most(self, timeout: Duration) -> Self {
        self.replan(|plan| plan.timeout_at_most = Some(timeout))
    }

    /// The same with a server of revision 4 whose first ping comes earlier.
    #[must_use]
    #[track_caller]
    pub fn first_ping_after(self, delay: Duration) -> Self {
        self.replan(|plan| plan.first_ping_after = Some(delay))
    }

    /// The same at other epochs than [`EPOCHS`].
    #[must_use]
    #[track_caller]
    pub fn epochs(self, epochs: &[u64]) -> Self {
        self.replan(|plan| plan.epochs = epochs.to_vec())
    }

    /// The same, with a packet taking so long in either direction.
    #[must_use]
    pub fn latency(self, latency: Duration) -> Self {
        self.to_server.set_latency(latency);
        self.to_client.set_latency(latency);
        self
    }

    /// The same, with a packet taking up to `most` longer.
    #[must_use]
    pub fn jitter(self, most: Duration, seed: u64) -> Self {
        self.to_server.set_jitter(most, seed);
        self.to_client.set_jitter(most, !seed);
        self
    }

    #[track_caller]
    fn replan(self, change: impl FnOnce(&mut Plan)) -> Self {
        assert_eq!(self.now(), Duration::ZERO, "a world is planned before its time runs");
        let mut plan = self.plan;
        change(&mut plan);
        Self::planned(plan)
    }

    #[track_caller]
    fn planned(plan: Plan) -> Self {
        let scene = Scene::default();
        let to_server = Link::new(&scene, end::name(Role::Client));
        let to_client = Link::new(&scene, end::name(Role::Server));
        let server = (!plan.server_is_script).then(|| server(&scene, &plan));
        let client = (!plan.client_is_script).then(|| client(&scene, &plan));
        Self {
            server: End::new(Role::Server, &scene, &plan.epochs, server, (&to_server, &to_client)),
            client: End::new(Role::Client, &scene, &plan.epochs, client, (&to_client, &to_server)),
            to_server,
            to_client,
            scene,
            plan,
        }
    }
}

fn server(scene: &Scene, plan: &Plan) -> (Lanes<Session>, Oracle) {
    let &Plan { revision, heartbeat, liveness, first_ping_after, .. } = plan;
    let session = Lanes::new(scene, end::name(Role::Server), &plan.epochs, 0, |now| {
        let session = match revision {
            Revision::V4 => ServerSession::eio4(heartbeat, liveness, now),
            Revision::V3 => ServerSession::eio3(heartbeat, liveness, now),
        };
        Session::Server(match first_ping_after {
            None => session,
            Some(delay) => session.with_first_ping_after(delay),
        })
    });
    let mut oracle = Oracle::server(revision, heartbeat, liveness, 0);
    if let Some(delay) = first_ping_after {
        oracle.bring_first_ping_forward(delay);
    }
    (session, oracle)
}

fn client(scene: &Scene, plan: &Plan) -> (Lanes<Session>, Oracle) {
    let revision = plan.revision;
    let mut session = Lanes::new(scene, end::name(Role::Client), &plan.epochs, 0, |now| {
        let session = match revision {
            Revision::V4 => ClientSession::eio4(OPEN_TIMEOUT, now),
            Revision::V3 => ClientSession::eio3(OPEN_TIMEOUT, now),
        };
        Session::Client(match plan.timeout_at_most {
            None => session,
            Some(timeout) => session.with_ping_timeout_at_most(timeout),
        })
    });
    let mut oracle = Oracle::client(revision, micros(OPEN_TIMEOUT).cast_signed(), 0);
    if let Some(timeout) = plan.timeout_at_most {
        oracle.limit_timeout(timeout);
    }
    if plan.connected {
        let open = open_data(plan.heartbeat);
        let opened = session.call(0, |session: &mut Session, now: Instant| {
            session.handle_packet(now, Ok(Packet::text(PacketType::Open, &open)))
        });
        assert_eq!(
            opened,
            Some(Happened::Opened(plan.heartbeat)),
            "the handshake that every story begins with"
        );
        oracle.open(0, plan.heartbeat);
    }
    (session, oracle)
}

/// The data of the `open` packet that announces this heartbeat.
#[must_use]
pub fn open_data(heartbeat: Heartbeat) -> String {
    format!(
        r#"{{"sid":"a-story","upgrades":["websocket"],"pingInterval":{},"pingTimeout":{},"maxPayload":1000000}}"#,
        heartbeat.ping_interval().as_millis(),
        heartbeat.ping_timeout().as_millis()
    )
}

/// Letting time pass.
impl World {
    /// The time since the story began.
    #[must_use]
    pub fn now(&self) -> Duration {
        Duration::from_micros(self.scene.now())
    }

    /// Lets everything happen up to `time` after the story began, and at that moment.
    #[track_caller]
    pub fn run_until(&mut self, time: Duration) {
        let until = micros(time);
        loop {
            self.settle();
            let now = self.scene.now();
            match self.next_wake() {
                Some(wake) if wake <= now => {
                    self.scene.fail("world", format_args!("does not come to rest: something is due at once"))
                }
                Some(wake) if wake <= until => self.scene.advance(wake),
                _ => break,
            }
        }
        self.scene.advance(until);
        self.settle();
    }

    /// Lets everything happen for so long.
    #[track_caller]
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now() + time);
    }

    /// Both ends begin to move their session to a new transport.
    #[track_caller]
    pub fn begin_upgrade(&mut self, upgrade_timeout: Duration) {
        self.server.begin_upgrade(upgrade_timeout);
        self.client.begin_upgrade(upgrade_timeout);
    }

    /// Stands above the timeline if the story fails: the seed it was made from, say.
    pub fn set_title(&self, title: impl Into<String>) {
        self.scene.set_title(title.into());
    }

    /// Cuts both directions.
    pub fn cut(&self) {
        self.to_server.cut();
        self.to_client.cut();
    }

    fn next_wake(&self) -> Option<u64> {
        self.server.next_wake().into_iter().chain(self.client.next_wake()).min()
    }

    /// Lets happen what happens now.
    #[track_caller]
    fn settle(&mut self) {
        for _ in 0..TURNS_AT_ONCE {
            let busy = [self.server.turn(), self.client.turn()];
            if busy == [false, false] {
                return;
            }
        }
        self.scene.fail("world", format_args!("does not come to rest after {TURNS_AT_ONCE} turns at once"));
    }
}
