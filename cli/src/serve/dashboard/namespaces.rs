//! What the page shows of the namespaces of Socket.IO: a limited number of them.

use std::collections::{BTreeMap, HashMap};

use bytestring::ByteString;
use eio_socketio::{Audience, Socket};
use eio_tokio::SessionId;
use serde_json::{Value, json};

use super::{Dashboard, Name};
use crate::style::escape;

/// How many namespaces the page shows. Others are only counted, until one of these has no sockets.
const MAX_ROWS: usize = 100;

/// How many rooms of a namespace the page names: the largest.
const NAMED_ROOMS: usize = 3;

/// The namespaces that have sockets, and those that had some not long ago.
#[derive(Default)]
pub(super) struct Namespaces {
    /// The version of the latest change.
    version: u64,
    /// The number of sockets of each namespace that has any.
    sockets: HashMap<ByteString, u64>,
    rows: BTreeMap<ByteString, Row>,
}

/// What the page shows of a namespace.
#[derive(Clone)]
struct Row {
    /// The version of its latest change.
    version: u64,
    /// All of its sockets.
    audience: Audience,
    received: u64,
    sent: u64,
    /// How many sockets ended for each reason.
    reasons: BTreeMap<&'static str, u64>,
}

/// What the page gets, taken out of the lock.
pub(super) struct Snapshot {
    rows: Vec<(ByteString, u64, Row)>,
    more: usize,
}

impl Dashboard {
    /// Returns the name of an open session.
    pub(crate) fn name(&self, id: SessionId) -> Option<Name> {
        let inner = self.lock();
        inner.open.get(&id).map(|open| Name { number: open.number, id, label: open.label })
    }

    /// Adds a socket that has joined its namespace.
    pub(crate) fn join(&self, socket: &Socket) {
        let namespace = socket.namespace();
        let audience = socket.server().of(namespace.clone());
        self.change_namespaces(|namespaces, version| {
            *namespaces.sockets.entry(namespace.clone()).or_default() += 1;
            if !namespaces.rows.contains_key(namespace) && namespaces.make_room() {
                let row = Row { version, audience, received: 0, sent: 0, reasons: BTreeMap::new() };
                namespaces.rows.insert(namespace.clone(), row);
            }
        });
    }

    /// Removes a socket that has ended.
    pub(crate) fn leave(&self, namespace: &ByteString, reason: &'static str) {
        self.change_namespaces(|namespaces, version| {
            if let Some(sockets) = namespaces.sockets.get_mut(namespace) {
                *sockets -= 1;
                if *sockets == 0 {
                    namespaces.sockets.remove(namespace);
                }
            }
            namespaces.change(namespace, version, |row| *row.reasons.entry(reason).or_default() += 1);
        });
    }

    /// Counts events that came from clients of a namespace, and events that went to some. Its rooms may have changed, too.
    pub(crate) fn events(&self, namespace: &ByteString, received: u64, sent: u64) {
        self.change_namespaces(|namespaces, version| {
            namespaces.change(namespace, version, |row| {
                row.received += received;
                row.sent += sent;
            });
        });
    }

    fn change_namespaces(&self, change: impl FnOnce(&mut Namespaces, u64)) {
        let mut inner = self.lock();
        inner.version += 1;
        let version = inner.version;
        inner.namespaces.version = version;
        change(&mut inner.namespaces, version);
    }
}

impl Namespaces {
    fn change(&mut self, namespace: &ByteString, version: u64, change: impl FnOnce(&mut Row)) {
        if let Some(row) = self.rows.get_mut(namespace) {
            row.version = version;
            change(row);
        }
    }

    /// Returns whether there is room for another row. The namespace without sockets that has not changed for the longest
    /// time gives its place.
    fn make_room(&mut self) -> bool {
        if self.rows.len() < MAX_ROWS {
            return true;
        }
        let empty = self.rows.iter().filter(|(name, _)| !self.sockets.contains_key(*name));
        let oldest = empty.min_by_key(|(_, row)| row.version).map(|(name, _)| name.clone());
        oldest.is_some_and(|name| self.rows.remove(&name).is_some())
    }

    /// Returns all rows if one has changed since this version.
    pub(super) fn since(&self, seen: Option<u64>) -> Option<Snapshot> {
        if seen.is_some_and(|seen| self.version <= seen) {
            return None;
        }
        let sockets = |name| self.sockets.get(name).copied().unwrap_or(0);
        let rows: Vec<_> =
            self.rows.iter().map(|(name, row)| (name.clone(), sockets(name), row.clone())).collect();
        let shown = rows.iter().filter(|(_, sockets, _)| *sockets > 0).count();
        Some(Snapshot { more: self.sockets.len() - shown, rows })
    }
}

impl Snapshot {
    /// Asks the server for the rooms, so this must not hold the lock of the dashboard.
    pub(super) fn into_json(self) -> Value {
        let rows = self.rows.into_iter().map(|(name, sockets, row)| row.into_json(&name, sockets));
        json!({ "rows": rows.collect::<Vec<_>>(), "more": self.more })
    }
}

impl Row {
    fn into_json(self, name: &str, sockets: u64) -> Value {
        let mut rooms = self.audience.rooms();
        let count = rooms.len();
        rooms.sort_by_key(|(_, sockets)| core::cmp::Reverse(*sockets));
        let largest: Vec<_> =
            rooms.iter().take(NAMED_ROOMS).map(|(room, sockets)| json!([escape(room), sockets])).collect();
        json!({
            "name": escape(name),
            "sockets": sockets,
            "rooms": count,
            "largest": largest,
            "received": self.received,
            "sent": self.sent,
            "reasons": self.reasons,
        })
    }
}
