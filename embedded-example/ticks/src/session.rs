//! A session that is polled only when somebody wakes it, as on a board.

use core::future::Future;
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;

use eio_core::session::SessionEnd;
use eio_embassy::{ClientSettings, Endpoint};

use crate::clock::{self, Moment, UNITS_PER_TICK};
use crate::fakes::{Server, Task, buffers, connect, rng, text};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// The beginnings of the clock at which something with 32 bits would wrap: milliseconds after 49.7 days, ticks, and
/// microseconds after 71.6 minutes. A board that has run for a hundred years has wrapped nothing else.
pub(crate) fn epochs() -> [Moment; 5] {
    let before = |tick: u64| Moment::of_tick(tick.saturating_sub(40 * embassy_time::TICK_HZ));
    let ticks = |millis: u64| millis * embassy_time::TICK_HZ / 1_000;
    [
        Moment(0),
        before(ticks(1 << 32)),
        before(1 << 32),
        before(ticks((1 << 32) / 1_000)),
        before(ticks(100 * 365 * 86_400_000)),
    ]
}

/// Moments within a tick: its beginning, its first unit, its middle, its last unit.
pub(crate) fn phases() -> [u64; 4] {
    [0, 1.min(UNITS_PER_TICK - 1), UNITS_PER_TICK / 2, UNITS_PER_TICK - 1]
}

/// Asserts that something happened when its time had come, and not two ticks later. The session counts microseconds, so
/// it may be that much off.
#[track_caller]
pub(crate) fn assert_on_time(due: Duration, after: Duration) {
    let tick = Duration::from_nanos(1_000_000_000 / embassy_time::TICK_HZ);
    let micro = Duration::from_micros(1);
    assert!(after + micro > due, "too early: {after:?} instead of {due:?}");
    assert!(after < due + 2 * tick + micro, "too late: {after:?} instead of {due:?}");
}

/// A session in its task.
pub(crate) struct Session {
    pub(crate) server: Server,
    task: Task,
    run: Pin<Box<dyn Future<Output = SessionEnd>>>,
    /// How often the board has woken from its sleep for this task.
    pub(crate) wakes: u64,
}

impl Session {
    /// A session with these periods, in milliseconds, which opens now.
    pub(crate) fn open(interval: u64, timeout: u64, settings: &ClientSettings) -> Self {
        let (server, reader, writer) = Server::new();
        let settings = *settings;
        let run = Box::pin(async move {
            let endpoint = Endpoint::engineio("host");
            let connect = connect(reader, writer, &endpoint, buffers(512, 512), rng(), &settings);
            let mut client = connect.await.expect("a session");
            client.ready().await.expect_err("no message")
        });
        let mut session = Self { server, task: Task::new(), run, wakes: 0 };
        assert_eq!(session.run(), None);
        let (_, switch) = session.server.request();
        session.server.raw(switch.as_bytes());
        session.server.text(&format!(
            r#"0{{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":{interval},"pingTimeout":{timeout}}}"#
        ));
        assert_eq!(session.run(), None);
        session
    }

    /// Runs the task until it sleeps. Returns how the session ended, if it has.
    pub(crate) fn run(&mut self) -> Option<SessionEnd> {
        match self.task.poll(self.run.as_mut()) {
            Poll::Pending => None,
            Poll::Ready(end) => Some(end),
        }
    }

    /// Sleeps until `moment`, and wakes for each alarm on the way.
    pub(crate) fn sleep_until(&mut self, moment: Moment) {
        while let Some(alarm) = clock::next_alarm()
            && alarm < moment
        {
            clock::advance_to(alarm);
            assert_eq!(self.wake(), None);
        }
        clock::advance_to(moment);
    }

    /// Sleeps until the next alarm, which ends the session.
    pub(crate) fn sleep_until_end(&mut self) -> SessionEnd {
        clock::advance_to(clock::next_alarm().expect("an alarm"));
        self.wake().expect("the end")
    }

    /// The server pings.
    pub(crate) fn ping(&mut self) {
        self.server.text("2");
        assert_eq!(self.wake(), None);
        assert_eq!(self.server.take(), [text("3")]);
    }

    /// Runs the task if somebody has woken it.
    pub(crate) fn wake(&mut self) -> Option<SessionEnd> {
        if !self.task.is_woken() {
            return None;
        }
        self.wakes += 1;
        self.run()
    }
}
