//! What others keep with a server.

use std::sync::PoisonError;

use crate::server::Server;

impl Server {
    /// Keeps a value with this server, one of each type, so that whatever has a handle of the server finds it: an
    /// application by [`Socket::server`](crate::Socket::server). Replaces an earlier value of the type. It is kept as long
    /// as the server; a value that has a handle of the server keeps it for ever, so keep a weak one.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use eio_tokio::{Server, Socket};
    ///
    /// /// What is only known when the server is built.
    /// #[derive(Clone)]
    /// struct Region(Arc<str>);
    ///
    /// async fn welcome(socket: Socket) {
    ///     if let Some(Region(region)) = socket.server().extension() {
    ///         let _ = socket.send(format!("welcome to {region}")).await;
    ///     }
    /// }
    ///
    /// let server = Server::builder(welcome).build()?;
    /// server.set_extension(Region("eu-west".into()));
    /// # assert_eq!(&*server.extension::<Region>().unwrap().0, "eu-west");
    /// # Ok::<(), eio_tokio::BuildError>(())
    /// ```
    pub fn set_extension<T: Clone + Send + Sync + 'static>(&self, value: T) {
        let mut extensions = self.shared.extensions.lock().unwrap_or_else(PoisonError::into_inner);
        let replaced = extensions.insert(value);
        drop(extensions);
        // Only now, because it runs the application's code.
        drop(replaced);
    }

    /// Returns a clone of the value of this type that was [kept](Self::set_extension) with this server.
    #[must_use]
    pub fn extension<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.shared.extensions.lock().unwrap_or_else(PoisonError::into_inner).get().cloned()
    }
}
