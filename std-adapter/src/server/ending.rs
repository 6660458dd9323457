//! Ends a server when the process is asked to end.

use core::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use crate::server::Server;
use crate::server::listener::Listener;
use crate::server::shutdown::CutOff;

impl Server {
    /// Serves as [`serve`](Self::serve) does until `signal` is ready, and then shuts down as
    /// [`shutdown`](Self::shutdown) does, within `limit`. Returns what the shutdown cut off. The signal can be any future,
    /// such as `tokio::signal::ctrl_c()` or `CancellationToken::cancelled_owned()`; its output is ignored.
    ///
    /// If something else shuts the server down before the signal comes, this method returns once that has ended, and
    /// reports nothing as cut off.
    ///
    /// ```no_run
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// use std::time::Duration;
    ///
    /// use eio_tokio::Server;
    /// use tokio::net::TcpListener;
    ///
    /// let server = Server::builder(|_socket| async {}).build()?;
    /// let listener = TcpListener::bind("127.0.0.1:3000").await?;
    /// let cut_off = server.serve_until(listener, tokio::signal::ctrl_c(), Duration::from_secs(10)).await?;
    /// if !cut_off.is_empty() {
    ///     eprintln!("ended before everybody was done: {cut_off:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The same as for [`serve`](Self::serve).
    pub async fn serve_until(
        &self,
        listener: impl Listener,
        signal: impl Future,
        limit: Duration,
    ) -> std::io::Result<CutOff> {
        let mut serving = pin!(self.serve(listener));
        tokio::select! {
            served = &mut serving => return served.map(|()| CutOff::default()),
            _ = signal => {}
        }
        let (served, cut_off) = tokio::join!(serving, self.shutdown(limit));
        served.map(|()| cut_off)
    }

    /// Waits until the server begins to shut down. Use it to end work that does not belong to a session, such as a task
    /// that broadcasts, or an endless answer of a router: it would hold up the end of the process. A session's own
    /// application does not need it, because [`Socket::recv`](crate::Socket::recv) returns the end of the session.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// use std::time::Duration;
    ///
    /// use eio_tokio::Server;
    ///
    /// let server = Server::builder(|_socket| async {}).build()?;
    /// let (closing, clock) = (server.closing(), server.clone());
    /// let ticking = tokio::spawn(async move {
    ///     let ticks = async {
    ///         loop {
    ///             clock.broadcast("tick");
    ///             tokio::time::sleep(Duration::from_secs(1)).await;
    ///         }
    ///     };
    ///     tokio::select! {
    ///         () = ticks => {}
    ///         () = closing => {}
    ///     }
    /// });
    /// server.shutdown(Duration::from_secs(10)).await;
    /// ticking.await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        async move { shared.sessions.closing().await }
    }
}
