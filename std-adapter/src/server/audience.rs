//! To whom a message goes.

use std::collections::{BTreeSet, HashSet};

use crate::wire::session_id::SessionId;

/// The sessions to which [`Server::send_to`](crate::Server::send_to) sends a message: all of them, or the members of
/// groups, with exceptions.
///
/// An audience is plain data: names of groups, and identifiers. A server that consists of several nodes can tell the
/// others, and each sends to its own sessions.
///
/// ```
/// use eio_tokio::{Audience, Message, Socket};
///
/// /// Passes each message on to the others in the room.
/// async fn talk(mut socket: Socket) {
///     socket.join("lobby");
///     let others = Audience::group("lobby").except(socket.id());
///     while let Ok(message) = socket.recv().await {
///         socket.server().send_to(&others, message);
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// `None` for all sessions.
    groups: Option<BTreeSet<String>>,
    except: HashSet<SessionId>,
    except_groups: BTreeSet<String>,
}

impl Audience {
    /// Addresses every session of the server.
    #[must_use]
    pub fn all() -> Self {
        Self { groups: None, except: HashSet::new(), except_groups: BTreeSet::new() }
    }

    /// Addresses the members of a group. A group without members addresses nobody.
    #[must_use]
    pub fn group(name: impl Into<String>) -> Self {
        Self { groups: Some(BTreeSet::from([name.into()])), ..Self::all() }
    }

    /// Addresses the members of another group as well. A session that is in several of the groups gets the message once.
    /// Changes nothing if [all](Self::all) are addressed.
    #[must_use]
    pub fn and_group(mut self, name: impl Into<String>) -> Self {
        if let Some(groups) = &mut self.groups {
            groups.insert(name.into());
        }
        self
    }

    /// Leaves out a session, such as the one that a message comes from.
    #[must_use]
    pub fn except(mut self, id: SessionId) -> Self {
        self.except.insert(id);
        self
    }

    /// Leaves out the members of a group.
    #[must_use]
    pub fn except_group(mut self, name: impl Into<String>) -> Self {
        self.except_groups.insert(name.into());
        self
    }

    /// Returns the names of the addressed groups in order, or `None` if all sessions are addressed.
    #[must_use]
    pub fn groups(&self) -> Option<impl Iterator<Item = &str>> {
        self.groups.as_ref().map(|groups| groups.iter().map(String::as_str))
    }

    /// Returns the sessions that are left out, in no particular order.
    pub fn excepted(&self) -> impl Iterator<Item = SessionId> {
        self.except.iter().copied()
    }

    /// Returns the names of the groups whose members are left out, in order.
    pub fn excepted_groups(&self) -> impl Iterator<Item = &str> {
        self.except_groups.iter().map(String::as_str)
    }

    /// Returns whether this session is left out by its identifier.
    pub(crate) fn excepts(&self, id: SessionId) -> bool {
        self.except.contains(&id)
    }
}
