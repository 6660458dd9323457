//! What a session is made of.

use core::time::Duration;

use eio_core::backoff::Backoff;
use eio_core::{Heartbeat, Liveness, Revision};

use crate::ids::{HostId, LinkId};
use crate::side::Side;
use crate::time::{Micros, NEVER, micros};

/// What sessions are made of: their heartbeat, where they run, and what their applications do. Any number of sessions may
/// share it.
///
/// ```
/// use core::time::Duration;
/// use eio_core::{Heartbeat, Liveness};
/// use eio_sim::{Link, Plan, Side, World};
///
/// let mut world = World::new(1);
/// let link = world.add_link(Link::new(Duration::from_millis(20)));
/// let plan = Plan::new(Heartbeat::DEFAULT)
///     .liveness(Liveness::AnyPacket)
///     .link(link)
///     .sends(Side::Client, Duration::from_secs(10), 200);
/// let plan = world.add_plan(plan);
/// let session = world.connect(plan);
/// world.run_until(Duration::from_secs(3_600));
/// world.assert_open(session);
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) heartbeat: Heartbeat,
    pub(crate) revision: Revision,
    pub(crate) liveness: Liveness,
    pub(crate) first_ping_after: Option<Duration>,
    pub(crate) open_timeout: Duration,
    pub(crate) client_timeout_at_most: Option<Duration>,
    pub(crate) link: LinkId,
    pub(crate) hosts: [HostId; 2],
    pub(crate) sends: [Sends; 2],
    pub(crate) reconnects: Option<Backoff>,
    pub(crate) polling: bool,
}

/// What an application sends by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sends {
    /// [`NEVER`]: nothing.
    pub(crate) every: Micros,
    pub(crate) bytes: u32,
}

impl Plan {
    /// Creates a plan of sessions of revision 4 with this heartbeat, over a perfect link, between machines that always
    /// run.
    #[must_use]
    pub const fn new(heartbeat: Heartbeat) -> Self {
        let nothing = Sends { every: NEVER, bytes: 0 };
        Self {
            heartbeat,
            revision: Revision::V4,
            liveness: Liveness::ExtendOnce,
            first_ping_after: None,
            open_timeout: Duration::from_secs(20),
            client_timeout_at_most: None,
            link: LinkId::PERFECT,
            hosts: [HostId::PERFECT; 2],
            sends: [nothing; 2],
            reconnects: None,
            polling: false,
        }
    }

    /// Returns this plan with sessions of `revision`.
    #[must_use]
    pub const fn revision(mut self, revision: Revision) -> Self {
        self.revision = revision;
        self
    }

    /// Returns this plan with servers for which this counts as a sign of life.
    #[must_use]
    pub const fn liveness(mut self, liveness: Liveness) -> Self {
        self.liveness = liveness;
        self
    }

    /// Returns this plan with servers of revision 4 whose first ping comes after `delay` instead of one interval, if that
    /// is earlier.
    #[must_use]
    pub const fn first_ping_after(mut self, delay: Duration) -> Self {
        self.first_ping_after = Some(delay);
        self
    }

    /// Returns this plan with clients that wait for their handshake for `time` instead of 20 s.
    #[must_use]
    pub const fn open_timeout(mut self, time: Duration) -> Self {
        self.open_timeout = time;
        self
    }

    /// Returns this plan with clients that wait for at most `time` where the handshake announces a longer ping timeout.
    #[must_use]
    pub const fn client_timeout_at_most(mut self, time: Duration) -> Self {
        self.client_timeout_at_most = Some(time);
        self
    }

    /// Returns this plan with sessions over `link`.
    #[must_use]
    pub const fn link(mut self, link: LinkId) -> Self {
        self.link = link;
        self
    }

    /// Returns this plan with sessions whose `side` runs on `host`.
    #[must_use]
    pub const fn host(mut self, side: Side, host: HostId) -> Self {
        self.hosts[side.index()] = host;
        self
    }

    /// Returns this plan with an application on `side` that sends a message of so many bytes every so often, the first
    /// one somewhere within that time, at random. It goes by the true time, whatever the clock of its machine shows. What falls
    /// due while it does not run is sent once, when it runs again.
    ///
    /// # Panics
    /// Panics if `every` is below a microsecond.
    #[must_use]
    pub const fn sends(mut self, side: Side, every: Duration, bytes: u32) -> Self {
        let every = micros(every);
        assert!(every > 0, "a period of zero");
        self.sends[side.index()] = Sends { every, bytes };
        self
    }

    /// Returns this plan with sessions that begin on long-polling instead of a WebSocket. They stay there unless
    /// [`World::upgrade`](crate::World::upgrade) lets them move.
    ///
    /// ```
    /// use core::time::Duration;
    /// use eio_core::Heartbeat;
    /// use eio_sim::{Link, Plan, World};
    ///
    /// let mut world = World::new(1);
    /// let link = world.add_link(Link::new(Duration::from_millis(20)));
    /// let plan = world.add_plan(Plan::new(Heartbeat::DEFAULT).link(link).polling());
    /// let session = world.connect(plan);
    /// world.run_until(Duration::from_secs(24)); // a ping is due soon
    /// assert!(world.upgrade(session));
    /// world.run_until(Duration::from_secs(3_600));
    /// world.assert_open(session);
    /// assert_eq!(world.totals().upgraded, 1);
    /// ```
    #[must_use]
    pub const fn polling(mut self) -> Self {
        self.polling = true;
        self
    }

    /// Returns this plan with clients that connect again after an end, each time as a session of its own. The delay goes by the
    /// true time; a client that does not run at its end connects when it runs again.
    /// [`Happening::Connects`](crate::Happening::Connects) tells which. A session is removed by itself once both of its
    /// ends are over.
    #[must_use]
    pub const fn reconnects(mut self, backoff: Backoff) -> Self {
        self.reconnects = Some(backoff);
        self
    }
}
