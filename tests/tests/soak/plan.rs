//! Which clients there are, and for how long they stay.

use core::fmt;
use core::time::Duration;

use eio_tests::relay::Link;

/// One way of a link that delays: as far as the other side of an ocean is a quarter of it.
const DELAY: Duration = Duration::from_millis(20);

/// How long a server waits for a pong: so long that it keeps a connection hardly longer than the interval,
const SHORT_TIMEOUT: Duration = Duration::from_millis(500);

/// or so long that a machine may be slow.
const LONG_TIMEOUT: Duration = Duration::from_secs(20);

/// What is run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// For how long every client stays once all are open.
    pub(crate) lasts: Duration,
    /// How often a line of progress is printed.
    pub(crate) progress: Duration,
    pub(crate) groups: Vec<Group>,
}

/// Clients of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    pub(crate) interval: Duration,
    /// How long the server waits for a pong. Nobody is silent here.
    pub(crate) ping_timeout: Duration,
    /// How long the server keeps a connection that is idle; none for what it does unless set otherwise.
    pub(crate) idle_limit: Option<Duration>,
    pub(crate) path: Path,
    pub(crate) kind: Kind,
    pub(crate) clients: usize,
}

impl Group {
    /// Returns the least number of heartbeats, if all clients live for so long. A round trip comes to each interval, which
    /// on a poor link is half a second.
    pub(crate) fn expected(&self, lasts: Duration) -> u64 {
        let each = lasts.as_millis() / (self.interval.as_millis() + 1_000);
        u64::try_from(each).unwrap_or(u64::MAX) * self.clients as u64
    }
}

/// What a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Our client on polling. It opens another connection before the server's promise to keep one is over.
    Polling,
    /// A client on polling that uses the same two connections to the end: it meets every end of an idle connection.
    KeptSockets,
    /// Our client on a WebSocket.
    WebSocket,
    /// Our client, which moves from polling to a WebSocket.
    Upgraded,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Polling, Self::KeptSockets, Self::WebSocket, Self::Upgraded];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Polling => "polling",
            Self::KeptSockets => "polling on kept sockets",
            Self::WebSocket => "WebSocket",
            Self::Upgraded => "upgraded",
        })
    }
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
    /// Two hundred clients against the idle limit that a server has unless set otherwise, 75 s, after which it keeps a
    /// connection for 2 s: intervals that are shorter than both, as long and longer.
    pub(crate) fn long(lasts: Duration) -> Self {
        let meetings = [30, 60, 77, 90].map(|seconds| (Duration::from_secs(seconds), None));
        Self {
            lasts,
            progress: Duration::from_mins(1),
            groups: groups(&meetings, &[Path::Direct, Path::Delayed], |_| LONG_TIMEOUT, [4, 5, 8, 8]),
        }
    }

    /// Intervals of some seconds against limits of some seconds. The longest intervals reach what a server keeps a
    /// connection for after each limit, 2 s more, and pass it.
    pub(crate) fn short() -> Self {
        let seconds = |to| (1..=to).map(Duration::from_secs);
        let meetings: Vec<_> =
            seconds(6).flat_map(|interval| seconds(3).map(move |limit| (interval, Some(limit)))).collect();
        // A poor link takes longer for a ping and its pong.
        let ping_timeout = |path| if path == Path::Direct { SHORT_TIMEOUT } else { LONG_TIMEOUT };
        Self {
            lasts: Duration::from_secs(30),
            progress: Duration::from_secs(5),
            groups: groups(&meetings, &[Path::Direct, Path::Delayed, Path::Poor], ping_timeout, [1, 2, 1, 1]),
        }
    }

    /// How many clients there are.
    pub(crate) fn clients(&self) -> usize {
        self.groups.iter().map(|group| group.clients).sum()
    }
}

/// So many clients of each kind for each interval, limit and path.
fn groups(
    meetings: &[(Duration, Option<Duration>)],
    paths: &[Path],
    ping_timeout: impl Fn(Path) -> Duration,
    clients: [usize; 4],
) -> Vec<Group> {
    let mut groups = Vec::new();
    for &(interval, idle_limit) in meetings {
        for &path in paths {
            for (kind, clients) in Kind::ALL.into_iter().zip(clients) {
                let ping_timeout = ping_timeout(path);
                groups.push(Group { interval, ping_timeout, idle_limit, path, kind, clients });
            }
        }
    }
    groups
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} clients, interval {} s", self.clients, self.interval.as_secs())?;
        if let Some(limit) = self.idle_limit {
            write!(f, ", idle limit {} s", limit.as_secs())?;
        }
        write!(f, ", {}, {}", self.kind, self.path)
    }
}
