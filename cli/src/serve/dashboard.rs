//! The data of the page: open sessions with their recent heartbeats, and how the latest sessions ended. The number of
//! sessions in it is limited.

mod history;
mod namespaces;

use core::time::Duration;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use eio_core::Revision;
use eio_tokio::{Disconnect, Sender, SessionId};
use serde_json::{Value, json};

use self::history::History;
use self::namespaces::{Namespaces, Snapshot};
use super::event::Name;
use crate::duration::{millis, precise_millis};
use crate::sids::{SidLabel, Sids};
use crate::style::escape;

/// How many open sessions the page shows. Others are only counted.
const MAX_ROWS: usize = 250;

/// How many ended sessions are kept.
const MAX_ENDED: usize = 50;

/// How many heartbeats of a session the page shows.
const MAX_BEATS: usize = 30;

/// The data of the page. All times are from one clock.
pub(crate) struct Dashboard {
    sids: Sids,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Grows with every change. A page asks for the changes since the version that it has.
    version: u64,
    total: u64,
    heartbeats: u64,
    messages: u64,
    open: HashMap<SessionId, OpenSession>,
    shown: usize,
    ended: VecDeque<Ended>,
    /// The version of the latest ended session that is no longer kept.
    dropped: u64,
    /// How many sessions ended for each reason.
    reasons: BTreeMap<&'static str, u64>,
    namespaces: Namespaces,
    history: History,
    /// The nodes of the cluster, if the server is one, and the version of their latest change.
    nodes: Option<(u64, Value)>,
}

/// An open session.
struct OpenSession {
    number: u64,
    label: SidLabel,
    opened_at: Duration,
    row: Option<Box<Row>>,
}

/// What the page shows of an open session.
#[derive(Clone)]
struct Row {
    version: u64,
    session: Sender,
    beats: VecDeque<Beat>,
    /// When the unanswered ping was sent, if there is one.
    ping_sent_at: Option<Duration>,
    messages: u64,
    bytes: u64,
}

#[derive(Clone, Copy)]
struct Beat {
    at: Duration,
    rtt: Option<Duration>,
}

struct Ended {
    version: u64,
    name: Name,
    end: Disconnect,
    at: Duration,
    lived: Duration,
    messages: u64,
}

impl Dashboard {
    pub(crate) fn new(sids: Sids) -> Self {
        Self { sids, inner: Mutex::default() }
    }

    /// Returns how a session is named.
    pub(crate) fn label(&self, id: SessionId) -> SidLabel {
        self.sids.label(id.as_str())
    }

    /// Returns as much of the identifier of a socket as may be shown.
    pub(crate) fn shown(&self, id: &str) -> String {
        self.sids.label(id).shown(id)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a session, and gives it a number.
    pub(crate) fn open(&self, session: &Sender, now: Duration) -> Name {
        let label = self.label(session.id());
        let mut guard = self.lock();
        let inner = &mut *guard;
        inner.version += 1;
        inner.total += 1;
        let name = Name { number: inner.total, id: session.id(), label };
        let row = (inner.shown < MAX_ROWS).then(|| {
            Box::new(Row {
                version: inner.version,
                session: session.clone(),
                beats: VecDeque::new(),
                ping_sent_at: None,
                messages: 0,
                bytes: 0,
            })
        });
        inner.shown += usize::from(row.is_some());
        inner.open.insert(name.id, OpenSession { number: name.number, label, opened_at: now, row });
        inner.history.sessions(inner.version, now, inner.open.len());
        name
    }

    pub(crate) fn ping(&self, id: SessionId, now: Duration) -> Option<Name> {
        self.lock().change(id, |row| row.ping_sent_at = Some(now))
    }

    pub(crate) fn heartbeat(&self, id: SessionId, rtt: Option<Duration>, now: Duration) -> Option<Name> {
        let mut guard = self.lock();
        let inner = &mut *guard;
        inner.heartbeats += 1;
        let name = inner.change(id, |row| {
            row.ping_sent_at = None;
            if row.beats.len() == MAX_BEATS {
                row.beats.pop_front();
            }
            row.beats.push_back(Beat { at: now, rtt });
        });
        if let Some(rtt) = rtt {
            inner.history.round_trip(inner.version, now, rtt);
        }
        name
    }

    pub(crate) fn message(&self, id: SessionId, bytes: usize) -> Option<Name> {
        let mut inner = self.lock();
        inner.messages += 1;
        inner.change(id, |row| {
            row.messages += 1;
            row.bytes = row.bytes.saturating_add(bytes as u64);
        })
    }

    pub(crate) fn upgrade(&self, id: SessionId) -> Option<Name> {
        self.lock().change(id, |_| {})
    }

    /// Ends a session. Returns its name, and how long it was open.
    pub(crate) fn close(&self, id: SessionId, end: &Disconnect, now: Duration) -> Option<(Name, Duration)> {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let session = inner.open.remove(&id)?;
        let name = Name { number: session.number, id, label: session.label };
        let lived = now.saturating_sub(session.opened_at);
        inner.version += 1;
        inner.shown -= usize::from(session.row.is_some());
        *inner.reasons.entry(end.reason.as_str()).or_default() += 1;
        inner.history.sessions(inner.version, now, inner.open.len());
        inner.history.end(inner.version, now, end.reason.as_str());
        if inner.ended.len() == MAX_ENDED
            && let Some(oldest) = inner.ended.pop_front()
        {
            inner.dropped = oldest.version;
        }
        let version = inner.version;
        let messages = session.row.map_or(0, |row| row.messages);
        inner.ended.push_back(Ended { version, name, end: end.clone(), at: now, lived, messages });
        Some((name, lived))
    }

    /// Shows these nodes of the cluster.
    pub(crate) fn set_nodes(&self, nodes: Value) {
        let mut inner = self.lock();
        if inner.nodes.as_ref().is_none_or(|(_, shown)| *shown != nodes) {
            inner.version += 1;
            inner.nodes = Some((inner.version, nodes));
        }
    }

    /// Returns the changes since the version that a page has seen, and the new version. Returns everything for a page that
    /// has seen nothing, and `None` if nothing has changed.
    pub(crate) fn changes(&self, seen: Option<u64>, now: Duration) -> Option<(u64, Value)> {
        let inner = self.lock();
        let version = inner.version;
        if seen == Some(version) {
            return None;
        }
        // A page that has missed the end of a session would never remove it, and so gets everything.
        let seen = seen.filter(|seen| inner.dropped <= *seen);
        let since = seen.unwrap_or(0);
        let rows: Vec<(u64, Duration, Row)> = inner
            .open
            .values()
            .filter_map(|session| Some((session.number, session.opened_at, session.row.as_deref()?)))
            .filter(|(.., row)| row.version > since)
            .map(|(number, opened_at, row)| (number, opened_at, row.clone()))
            .collect();
        let ended: Vec<Value> = inner
            .ended
            .iter()
            .filter(|ended| ended.version > since)
            .map(|ended| ended.to_json(now))
            .collect();
        let totals = json!({
            "open": inner.open.len(),
            "shown": inner.shown,
            "opened": inner.total,
            "heartbeats": inner.heartbeats,
            "messages": inner.messages,
            "reasons": inner.reasons,
        });
        let namespaces = inner.namespaces.since(seen);
        let history = inner.history.since(seen, now);
        let nodes =
            inner.nodes.as_ref().filter(|(version, _)| *version > since).map(|(_, nodes)| nodes.clone());
        // Sessions hold their own lock when they take this one. Asking them while holding it would deadlock.
        drop(inner);
        let open: Vec<(SessionId, u64, Value)> = rows
            .into_iter()
            .map(|(number, opened_at, row)| {
                (row.session.id(), row.version, row.to_json(number, opened_at, now))
            })
            .collect();
        // A row that has changed since may contradict what the session said. It comes with the next changes.
        let inner = self.lock();
        let unchanged = |id: &SessionId, version: u64| {
            inner.open.get(id).and_then(|open| open.row.as_ref()).is_some_and(|row| row.version == version)
        };
        let open: Vec<Value> = open
            .into_iter()
            .filter(|(id, version, _)| unchanged(id, *version))
            .map(|(.., json)| json)
            .collect();
        drop(inner);
        let changes = json!({
            "all": seen.is_none(),
            "totals": totals,
            "open": open,
            "ended": ended,
            // All of them, if anything about one has changed.
            "namespaces": namespaces.map(Snapshot::into_json),
            "history": history.into_json(),
            // As a whole, too.
            "nodes": nodes,
        });
        Some((version, changes))
    }
}

impl Inner {
    /// Changes the row of a session, if it has one. Returns the name of the session.
    fn change(&mut self, id: SessionId, change: impl FnOnce(&mut Row)) -> Option<Name> {
        self.version += 1;
        let open = self.open.get_mut(&id)?;
        if let Some(row) = &mut open.row {
            row.version = self.version;
            change(row);
        }
        Some(Name { number: open.number, id, label: open.label })
    }
}

impl Row {
    fn to_json(&self, number: u64, opened_at: Duration, now: Duration) -> Value {
        let session = &self.session;
        let heartbeat = session.heartbeat();
        let (interval, timeout) = (heartbeat.ping_interval(), heartbeat.ping_timeout());
        let client_pings = session.revision() == Revision::V3;
        let span = match self.ping_sent_at {
            _ if client_pings => interval + timeout,
            Some(_) => timeout,
            None => interval,
        };
        let ago = |at| millis(now.saturating_sub(at));
        let beats: Vec<Value> =
            self.beats.iter().map(|beat| json!([beat.rtt.map(precise_millis), ago(beat.at)])).collect();
        json!({
            "number": number,
            "sid": session.id().short().to_string(),
            "transport": session.transport().as_str(),
            "revision": session.revision().number(),
            "age_ms": ago(opened_at),
            "seen_ms": millis(session.last_seen()),
            "rtt_ms": session.rtt().map(precise_millis),
            "heartbeats": beats,
            "ping_sent_ms": self.ping_sent_at.map(ago),
            "deadline_ms": session.next_deadline().map(millis),
            "span_ms": millis(span),
            "messages": self.messages,
            "bytes": self.bytes,
        })
    }
}

impl Ended {
    fn to_json(&self, now: Duration) -> Value {
        json!({
            "number": self.name.number,
            "sid": self.name.id.short().to_string(),
            "transport": self.end.transport.as_str(),
            "reason": self.end.reason.as_str(),
            "detail": self.end.reason.to_string(),
            "close_code": self.end.close_frame.as_ref().map(|frame| frame.code().as_u16()),
            "close_reason": self.end.close_frame.as_ref().map(|frame| escape(frame.reason())),
            "silent_ms": millis(self.end.silent_for),
            "unsent": self.end.unsent,
            "lived_ms": millis(self.lived),
            "ended_ms": millis(now.saturating_sub(self.at)),
            "messages": self.messages,
        })
    }
}
