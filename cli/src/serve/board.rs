//! What the page shows: open sessions with their recent heartbeats, and how the latest ones ended. Bounded, however
//! many sessions there are.

use core::time::Duration;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use eio_core::Revision;
use eio_tokio::{CloseFrame, Disconnect, Sender, SessionId};
use serde_json::{Value, json};

use super::event::Name;
use crate::duration::{millis, precise_millis};

/// How many open sessions are shown; more are only counted.
const SHOWN: usize = 250;

/// How many ended sessions are remembered.
const REMEMBERED: usize = 50;

/// How many heartbeats of a session are shown.
const BEATS: usize = 30;

/// All that is shown. Times are those of one clock.
#[derive(Default)]
pub(crate) struct Board {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Grows with every change; whoever has seen a version asks for what came after it.
    version: u64,
    opened: u64,
    heartbeats: u64,
    messages: u64,
    live: HashMap<SessionId, Live>,
    shown: usize,
    ended: VecDeque<Ended>,
    /// The version at which the latest session that is no longer remembered ended.
    forgotten: u64,
    /// How many sessions ended for each reason.
    reasons: BTreeMap<&'static str, u64>,
}

/// An open session.
struct Live {
    number: u64,
    opened_at: Duration,
    row: Option<Box<Row>>,
}

/// An open session that is shown.
#[derive(Clone)]
struct Row {
    version: u64,
    session: Sender,
    beats: VecDeque<Beat>,
    /// When a ping went out that has no answer yet.
    asked_at: Option<Duration>,
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

impl Board {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session opened: it gets its number.
    pub(crate) fn open(&self, session: &Sender, now: Duration) -> Name {
        let mut inner = self.lock();
        inner.version += 1;
        inner.opened += 1;
        let name = Name { number: inner.opened, id: session.id() };
        let row = (inner.shown < SHOWN).then(|| {
            Box::new(Row {
                version: inner.version,
                session: session.clone(),
                beats: VecDeque::new(),
                asked_at: None,
                messages: 0,
                bytes: 0,
            })
        });
        inner.shown += usize::from(row.is_some());
        inner.live.insert(name.id, Live { number: name.number, opened_at: now, row });
        name
    }

    pub(crate) fn ping(&self, id: SessionId, now: Duration) -> Option<Name> {
        self.lock().change(id, |row| row.asked_at = Some(now))
    }

    pub(crate) fn heartbeat(&self, id: SessionId, rtt: Option<Duration>, now: Duration) -> Option<Name> {
        let mut inner = self.lock();
        inner.heartbeats += 1;
        inner.change(id, |row| {
            row.asked_at = None;
            if row.beats.len() == BEATS {
                row.beats.pop_front();
            }
            row.beats.push_back(Beat { at: now, rtt });
        })
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

    /// A session ended: its name, and how long it was open.
    pub(crate) fn close(&self, id: SessionId, end: &Disconnect, now: Duration) -> Option<(Name, Duration)> {
        let mut inner = self.lock();
        let live = inner.live.remove(&id)?;
        let name = Name { number: live.number, id };
        let lived = now.saturating_sub(live.opened_at);
        inner.version += 1;
        inner.shown -= usize::from(live.row.is_some());
        *inner.reasons.entry(end.reason.as_str()).or_default() += 1;
        if inner.ended.len() == REMEMBERED
            && let Some(oldest) = inner.ended.pop_front()
        {
            inner.forgotten = oldest.version;
        }
        let version = inner.version;
        let messages = live.row.map_or(0, |row| row.messages);
        inner.ended.push_back(Ended { version, name, end: end.clone(), at: now, lived, messages });
        Some((name, lived))
    }

    /// What has changed since a version was seen, and the version that this is; all there is for those who have seen
    /// nothing. `None` if nothing has.
    pub(crate) fn changes(&self, seen: Option<u64>, now: Duration) -> Option<(u64, Value)> {
        let inner = self.lock();
        let version = inner.version;
        if seen == Some(version) {
            return None;
        }
        // Who has missed the end of a session would show it for ever.
        let seen = seen.filter(|seen| inner.forgotten <= *seen);
        let since = seen.unwrap_or(0);
        let rows: Vec<(u64, Duration, Row)> = inner
            .live
            .values()
            .filter_map(|live| Some((live.number, live.opened_at, live.row.as_deref()?)))
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
            "open": inner.live.len(),
            "shown": inner.shown,
            "opened": inner.opened,
            "heartbeats": inner.heartbeats,
            "messages": inner.messages,
            "reasons": inner.reasons,
        });
        // Sessions take their own lock before this one: nobody may ask them while holding it.
        drop(inner);
        let live: Vec<(SessionId, u64, Value)> = rows
            .into_iter()
            .map(|(number, opened_at, row)| {
                (row.session.id(), row.version, row.to_json(number, opened_at, now))
            })
            .collect();
        // What was asked a moment later may contradict the row. Such a row has changed again, and comes next time.
        let inner = self.lock();
        let unchanged = |id: &SessionId, version: u64| {
            inner.live.get(id).and_then(|live| live.row.as_ref()).is_some_and(|row| row.version == version)
        };
        let live: Vec<Value> = live
            .into_iter()
            .filter(|(id, version, _)| unchanged(id, *version))
            .map(|(.., json)| json)
            .collect();
        drop(inner);
        Some((version, json!({ "all": seen.is_none(), "totals": totals, "live": live, "ended": ended })))
    }
}

impl Inner {
    /// Changes the row of a session, if it has one, and names the session.
    fn change(&mut self, id: SessionId, change: impl FnOnce(&mut Row)) -> Option<Name> {
        self.version += 1;
        let live = self.live.get_mut(&id)?;
        if let Some(row) = &mut live.row {
            row.version = self.version;
            change(row);
        }
        Some(Name { number: live.number, id })
    }
}

impl Row {
    fn to_json(&self, number: u64, opened_at: Duration, now: Duration) -> Value {
        let session = &self.session;
        let heartbeat = session.heartbeat();
        let (interval, timeout) = (heartbeat.ping_interval(), heartbeat.ping_timeout());
        let client_pings = session.revision() == Revision::V3;
        let span = match self.asked_at {
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
            "beats": beats,
            "asked_ms": self.asked_at.map(ago),
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
            "close_reason": self.end.close_frame.as_ref().map(CloseFrame::reason),
            "silent_ms": millis(self.end.silent_for),
            "lived_ms": millis(self.lived),
            "ended_ms": millis(now.saturating_sub(self.at)),
            "messages": self.messages,
        })
    }
}
