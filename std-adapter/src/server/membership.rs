//! The groups of one session.

use crate::server::socket::{Sender, Socket};

impl Socket {
    /// Makes this session a member of a group. Returns `false` if it was a member before, or if the session has ended.
    ///
    /// A group is a name: any text. It exists while it has members. [`Server::send_to`](crate::Server::send_to) sends to
    /// the members of groups, and [`Server::members`](crate::Server::members) returns them. A session that ends leaves all
    /// of its groups by itself, before an observer hears of its end.
    ///
    /// ```
    /// use eio_tokio::{Audience, Socket};
    ///
    /// async fn follow_news(mut socket: Socket) {
    ///     socket.join("news");
    ///     socket.server().send_to(&Audience::group("news").except(socket.id()), "one more reader");
    ///     while socket.recv().await.is_ok() {}
    /// }
    /// ```
    pub fn join(&self, group: impl AsRef<str>) -> bool {
        self.as_sender().join(group)
    }

    /// Ends this session's membership of a group. Returns whether it was a member.
    pub fn leave(&self, group: impl AsRef<str>) -> bool {
        self.as_sender().leave(group)
    }

    /// Returns the names of this session's groups, in order. After the session's end, returns those of which it was a
    /// member at its end, until the application and [`on_disconnect`](crate::ServerBuilder::on_disconnect) have returned.
    /// After that, returns none.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        self.as_sender().groups()
    }
}

impl Sender {
    /// Makes this session a member of a group, as [`Socket::join`] does.
    pub fn join(&self, group: impl AsRef<str>) -> bool {
        let context = &self.shared().context;
        context.sessions().change_groups(|registry| registry.join(context.id, group.as_ref()))
    }

    /// Ends this session's membership of a group, as [`Socket::leave`] does.
    pub fn leave(&self, group: impl AsRef<str>) -> bool {
        let context = &self.shared().context;
        context.sessions().change_groups(|registry| registry.leave(context.id, group.as_ref()))
    }

    /// Returns the names of this session's groups, as [`Socket::groups`] does.
    ///
    /// ```
    /// use eio_tokio::{Audience, Server};
    ///
    /// let server = Server::builder(|_socket| async {})
    ///     .on_disconnect(|session, _end| async move {
    ///         for group in session.groups() {
    ///             session.server().send_to(&Audience::group(group), "somebody has left");
    ///         }
    ///     })
    ///     .build()?;
    /// # Ok::<(), eio_tokio::BuildError>(())
    /// ```
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        let context = &self.shared().context;
        context.sessions().registry().groups_of(context.id)
    }
}
