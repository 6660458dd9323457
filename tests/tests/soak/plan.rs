//! Which clients there are, and for how long they stay.

use core::fmt;
use core::time::Duration;

use eio_tests::interop::Mode;
use eio_tests::relay::Link;

/// One way of a link that delays: as far as the other side of an ocean is a quarter of it.
const DELAY: Duration = Duration::from_millis(20);

/// What is run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// For how long every client stays once all are open.
    pub(crate) lasts: Duration,
    /// How often a line of progress is printed.
    pub(crate) progress: Duration,
    /// How long a server waits for a pong. Nobody is silent here, and machines are slow when they are shared.
    pub(crate) ping_timeout: Duration,
    pub(crate) groups: Vec<Group>,
}

/// Clients of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    pub(crate) interval: Duration,
    /// How long the server keeps a connection that is idle; none for what it does unless set otherwise.
    pub(crate) idle_limit: Option<Duration>,
    pub(crate) path: Path,
    pub(crate) mode: Mode,
    pub(crate) clients: usize,
}

/// How the clients of a group reach their server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    Direct,
    Delayed,
    /// Delayed, slow, and losing segments.
    Poor,
}

impl Path {
    /// The link, if there is one to relay over.
    pub(crate) fn link(self) -> Option<Link> {
        match self {
            Self::Direct => None,
            Self::Delayed => Some(Link::delayed(DELAY)),
            Self::Poor => Some(Link::delayed(DELAY).losing(10, Duration::from_millis(250)).slow(20_000)),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("direct"),
            Self::Delayed => write!(f, "delayed by {} ms", DELAY.as_millis()),
            Self::Poor => f.write_str("delayed, lossy and slow"),
        }
    }
}

impl Plan {
    /// Two hundred clients against the servers' own limits, around which the intervals lie.
    pub(crate) fn long(lasts: Duration) -> Self {
        let intervals = [29, 30, 31, 60].map(|seconds| (Duration::from_secs(seconds), None));
        Self {
            lasts,
            progress: Duration::from_mins(1),
            ping_timeout: Duration::from_secs(20),
            groups: groups(&intervals, &[Path::Direct, Path::Delayed], [9, 8, 8]),
        }
    }

    /// Every interval of some seconds against every limit of some seconds.
    pub(crate) fn short() -> Self {
        let seconds = || (1..=3).map(Duration::from_secs);
        let meetings: Vec<_> =
            seconds().flat_map(|interval| seconds().map(move |limit| (interval, Some(limit)))).collect();
        Self {
            lasts: Duration::from_secs(30),
            progress: Duration::from_secs(5),
            ping_timeout: Duration::from_secs(15),
            groups: groups(&meetings, &[Path::Direct, Path::Delayed, Path::Poor], [3, 1, 1]),
        }
    }

    /// How many clients there are.
    pub(crate) fn clients(&self) -> usize {
        self.groups.iter().map(|group| group.clients).sum()
    }
}

/// So many clients of each mode for each interval, limit and path.
fn groups(meetings: &[(Duration, Option<Duration>)], paths: &[Path], clients: [usize; 3]) -> Vec<Group> {
    let mut groups = Vec::new();
    for &(interval, idle_limit) in meetings {
        for &path in paths {
            for (mode, clients) in Mode::ALL.into_iter().zip(clients) {
                groups.push(Group { interval, idle_limit, path, mode, clients });
            }
        }
    }
    groups
}
