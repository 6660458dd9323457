//! What the application decides about a request that wants to open a session.

use core::fmt;
use core::pin::Pin;
use std::sync::Arc;

use eio_core::Heartbeat;
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

use crate::web::rejection::Rejection;

/// Decides about a request, and completes the admission.
pub(crate) type Decide = Arc<
    dyn for<'r> Fn(
            &'r mut Parts,
            &'r mut Admission,
        ) -> Pin<Box<dyn Future<Output = Result<(), Rejection>> + Send + 'r>>
        + Send
        + Sync,
>;

/// Admits a session: the answer of [`allow_request`](crate::ServerBuilder::allow_request). It may carry data for the
/// session, such as the user that a look-up has found, periods of its own, and headers.
///
/// ```
/// use std::time::Duration;
///
/// use eio_tokio::core::Heartbeat;
/// use eio_tokio::http::{HeaderValue, header};
/// use eio_tokio::{Admission, Rejection, Server, Socket};
///
/// #[derive(Clone)]
/// struct User {
///     name: String,
/// }
///
/// async fn look_up(token: Option<String>) -> Option<User> {
///     # token.filter(|token| token == "Bearer 7").map(|_| User { name: "ada".to_owned() })
/// }
///
/// async fn chat(mut socket: Socket) {
///     let Some(User { name }) = socket.extensions().get().cloned() else { return };
///     println!("{name} is here");
///     while socket.recv().await.is_ok() {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let quick = Heartbeat::new(Duration::from_secs(5), Duration::from_secs(3))?;
/// let server = Server::builder(chat)
///     .allow_request(move |head| {
///         let token = head.headers.get(header::AUTHORIZATION).and_then(|token| token.to_str().ok());
///         let user = look_up(token.map(str::to_owned));
///         async move {
///             let user = user.await.ok_or("sign in first")?;
///             Ok(Admission::new()
///                 .with(user)
///                 .heartbeat(quick)
///                 .header(header::SET_COOKIE, HeaderValue::from_static("seen=1")))
///         }
///     })
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Admission {
    pub(crate) extensions: Extensions,
    pub(crate) heartbeat: Option<Heartbeat>,
    pub(crate) headers: HeaderMap,
}

impl Admission {
    /// Admits the session, with the server's periods and without data.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value for the session. It replaces an earlier value of the same type.
    ///
    /// [`Socket::extensions`](crate::Socket::extensions) and [`Sender::extensions`](crate::Sender::extensions) return it as
    /// long as any handle to the session exists. A session without values has 8 bytes for them. The first value allocates
    /// a map.
    #[must_use]
    pub fn with<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.extensions.insert(value);
        self
    }

    /// Sets the session's own periods. Default: the server's.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.heartbeat = Some(heartbeat);
        self
    }

    /// Adds a header to the answer that opens the session, besides those of the same name. Use it to set cookies.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }
}

/// Admits the session, with the server's periods and without data.
impl From<()> for Admission {
    fn from((): ()) -> Self {
        Self::new()
    }
}

/// Leaves out the values, which may be secret, and the values of the headers.
impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("extensions", &self.extensions.len())
            .field("heartbeat", &self.heartbeat)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish()
    }
}
