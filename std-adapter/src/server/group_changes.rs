//! Which groups there are, as they come into being and vanish.

use core::fmt;
use std::sync::Arc;

use crate::server::Server;
use crate::server::sessions::ServerShared;

/// The groups of a server, as they come into being and vanish. [`Server::group_changes`] makes one.
///
/// It counts what is, and not what happened: a group that came and went since the last call is not reported, so a program
/// that does not ask for long costs no memory for groups that are gone. It keeps its server.
pub struct GroupChanges {
    server: Arc<ServerShared>,
    watcher: u64,
}

/// A group has come into being, or has vanished.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupChange {
    /// The name of the group.
    pub name: Arc<str>,
    /// Whether it exists now: whether it has members.
    pub exists: bool,
}

impl Server {
    /// Watches which groups there are: first those that exist now, then each that gets its first member or loses its last
    /// one. Something that connects several servers, such as `eio-cluster`, listens for the groups that have members here.
    ///
    /// While nobody watches, this costs nothing.
    ///
    /// ```
    /// use eio_tokio::Server;
    ///
    /// async fn watch(server: &Server) {
    ///     let mut changes = server.group_changes();
    ///     loop {
    ///         for change in changes.next().await {
    ///             println!("{}: {}", change.name, if change.exists { "somebody" } else { "nobody" });
    ///         }
    ///     }
    /// }
    /// # let _ = watch;
    /// ```
    #[must_use]
    pub fn group_changes(&self) -> GroupChanges {
        let watcher = self.shared.sessions.registry().groups().watch();
        GroupChanges { server: Arc::clone(&self.shared), watcher }
    }
}

impl GroupChanges {
    /// Waits until something has changed since the last call. Returns each group that has come into being or vanished since
    /// then, once, in no particular order.
    ///
    /// # Cancel safety
    /// This method is cancel safe. If the future is dropped, no change is lost.
    pub async fn next(&mut self) -> Vec<GroupChange> {
        loop {
            let changed = self.server.sessions.groups_changed.notified();
            tokio::pin!(changed);
            // Registered before the check, so that a change in between is not missed.
            changed.as_mut().enable();
            let news = self.server.sessions.registry().groups().take_news(self.watcher);
            if !news.is_empty() {
                return news.into_iter().map(|(name, exists)| GroupChange { name, exists }).collect();
            }
            changed.await;
        }
    }
}

impl Drop for GroupChanges {
    fn drop(&mut self) {
        self.server.sessions.registry().groups().unwatch(self.watcher);
    }
}

impl fmt::Debug for GroupChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupChanges").finish_non_exhaustive()
    }
}
