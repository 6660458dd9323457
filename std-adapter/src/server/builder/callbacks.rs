//! The application's callbacks, besides the application itself.

use std::sync::Arc;

use http::request::Parts;

use crate::server::builder::ServerBuilder;
use crate::server::decision::Admission;
use crate::server::observer::Observer;
use crate::server::socket::Sender;
use crate::session::end::Disconnect;
use crate::web::rejection::Rejection;

impl ServerBuilder {
    /// Sets a function that admits or refuses every new session, by the head of its opening request. `Ok(())` admits the
    /// session. An [`Admission`] also hands it data, such as the user that a look-up has found, periods of its own, or
    /// headers for the answer. A [`Rejection`] refuses it, with a message or with a whole answer. Default: all sessions
    /// are admitted.
    ///
    /// The function runs after the server's own checks, such as those of the origin and of limits; only the revision of the
    /// protocol is checked behind it, as in the reference. Extensions of the request that a middleware has set are in the head. If the function takes longer than the [request
    /// timeout](Self::request_timeout), the server refuses the session with status 503 and `Retry-After: 5`.
    ///
    /// ```
    /// use eio_tokio::{Admission, Rejection, Server, Socket};
    ///
    /// #[derive(Clone, Debug)]
    /// struct Room(String);
    ///
    /// async fn chat(socket: Socket) {
    ///     println!("somebody enters {:?}", socket.extensions().get::<Room>());
    /// }
    ///
    /// let server = Server::builder(chat)
    ///     .allow_request(|head| {
    ///         let query = head.uri.query().unwrap_or_default();
    ///         let room = query.split('&').find_map(|pair| pair.strip_prefix("room=")).map(str::to_owned);
    ///         async move {
    ///             let room = room.ok_or(Rejection::from("name a room"))?;
    ///             Ok(Admission::new().with(Room(room)))
    ///         }
    ///     })
    ///     .build()?;
    /// # Ok::<(), eio_tokio::BuildError>(())
    /// ```
    #[must_use]
    pub fn allow_request<F, R, A>(mut self, allow: F) -> Self
    where
        F: Fn(&Parts) -> R + Send + Sync + 'static,
        R: Future<Output = Result<A, Rejection>> + Send + 'static,
        A: Into<Admission>,
    {
        self.http.allow_request = Some(Arc::new(move |parts, admission| {
            let allowed = allow(parts);
            Box::pin(async move {
                *admission = allowed.await?.into();
                Ok(())
            })
        }));
        self
    }

    /// Runs `clean_up` once for every session, after everything else: after the session has ended, and after its
    /// application has returned, has panicked, or was cut off by [`shutdown`](crate::Server::shutdown). Put the work that must
    /// happen at the end of every session here, because a panic skips the end of the application. Default: nothing
    /// runs.
    ///
    /// The future runs in the session's own task, and `shutdown` waits for it. It does not run if the runtime is
    /// dropped before, or after a panic under `panic = "abort"`.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use std::sync::{Arc, Mutex};
    ///
    /// use eio_tokio::{Server, SessionId, Socket};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// let online: Arc<Mutex<HashMap<SessionId, String>>> = Arc::default();
    /// let (arriving, leaving) = (Arc::clone(&online), Arc::clone(&online));
    /// let server = Server::builder(move |mut socket: Socket| {
    ///     arriving.lock().unwrap().insert(socket.id(), "somebody".to_owned());
    ///     async move {
    ///         while let Ok(message) = socket.recv().await {
    ///             let number: u32 = message.as_text().unwrap().parse().unwrap(); // a panic, for "seven"
    ///             println!("{number}");
    ///         }
    ///     }
    /// })
    /// .on_disconnect(move |session, end| {
    ///     let leaving = Arc::clone(&leaving);
    ///     async move {
    ///         leaving.lock().unwrap().remove(&session.id());
    ///         println!("{end}"); // forced close: this side's application panicked ..
    ///     }
    /// })
    /// .build()?;
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}", listener.local_addr()?);
    /// # let serving = tokio::spawn({ let server = server.clone(); async move { server.serve(listener).await } });
    /// # let mut socket = eio_tokio::Client::builder(url).build()?.connect().await?;
    /// # assert_eq!(online.lock().unwrap().len(), 1);
    /// # socket.send("seven").await?;
    /// # while socket.recv().await.is_ok() {}
    /// # server.shutdown(std::time::Duration::from_secs(5)).await;
    /// # serving.await??;
    /// # assert!(online.lock().unwrap().is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_disconnect<F, R>(mut self, clean_up: F) -> Self
    where
        F: Fn(Sender, Disconnect) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        self.callbacks.on_disconnect = Some(Box::new(move |session, end| Box::pin(clean_up(session, end))));
        self
    }

    /// Sets an observer of every session. Default: no observer.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.callbacks.observer = Some(Box::new(observer));
        self
    }
}
