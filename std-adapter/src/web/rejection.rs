//! How the application refuses a session.

use bytes::Bytes;
use eio_core::handshake::Transport;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;

use crate::wire::targets;

/// The words of a refusal for which the application has none.
const FORBIDDEN: &str = "Forbidden";

/// Refuses a session: the error of [`allow_request`](crate::ServerBuilder::allow_request).
///
/// A text alone refuses as the reference does. On polling, the answer has status 403 and the protocol's JSON with the
/// text. On WebSocket it has status 400 and the text as its body. (Browsers hide both the status and the body of a refused
/// WebSocket from the page.) [`new`](Self::new) chooses a status for both transports.
///
/// ```
/// use eio_tokio::http::{HeaderValue, StatusCode, header};
/// use eio_tokio::{Admission, Rejection, Server};
///
/// let server = Server::builder(|_socket| async {})
///     .allow_request(|head| {
///         let token = head.headers.get(header::AUTHORIZATION).cloned();
///         async move {
///             match token {
///                 Some(token) if token == "Bearer secret" => Ok(Admission::new()),
///                 Some(_) => Err(Rejection::from("the token is wrong")),
///                 None => Err(Rejection::new(StatusCode::UNAUTHORIZED, "a token is missing")
///                     .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
///             }
///         }
///     })
///     .build()?;
/// # Ok::<(), eio_tokio::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rejection {
    kind: Box<Kind>,
}

#[derive(Clone, Debug)]
enum Kind {
    Message {
        /// `None` for the reference's status, which depends on the transport.
        status: Option<StatusCode>,
        message: String,
        headers: HeaderMap,
    },
    Response(Response<Full<Bytes>>),
}

impl Rejection {
    /// Refuses the session with this status, on polling and on WebSocket. On polling the body is the protocol's JSON, with
    /// code 4 and `message`. On WebSocket it is `message`.
    ///
    /// A status below 300 would not refuse anything: the answer has status 500 instead, and the log reports it.
    #[must_use]
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self::with(Some(status), message.into())
    }

    /// Refuses the session with this answer as it is, on polling and on WebSocket. Clients show its body to nobody, unless
    /// they know of it.
    ///
    /// A status below 300 refuses nothing, and on HTTP/2 it would open a WebSocket: the answer has status 500 instead, and the
    /// log reports it.
    ///
    /// ```
    /// use eio_tokio::http::{Response, StatusCode, header};
    /// use eio_tokio::{Rejection, http_body_util::Full};
    ///
    /// let elsewhere = Response::builder()
    ///     .status(StatusCode::TEMPORARY_REDIRECT)
    ///     .header(header::LOCATION, "https://eu.example.org/engine.io/?EIO=4&transport=polling")
    ///     .body(Full::default())?;
    /// let rejection = Rejection::response(elsewhere);
    /// # Ok::<(), eio_tokio::http::Error>(())
    /// ```
    #[must_use]
    pub fn response(response: Response<Full<Bytes>>) -> Self {
        Self { kind: Box::new(Kind::Response(response)) }
    }

    fn with(status: Option<StatusCode>, message: String) -> Self {
        let message = if message.is_empty() { FORBIDDEN.to_owned() } else { message };
        Self { kind: Box::new(Kind::Message { status, message, headers: HeaderMap::new() }) }
    }

    /// Adds a header to the answer, besides those of the same name.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        match &mut *self.kind {
            Kind::Message { headers, .. } => headers.append(name, value),
            Kind::Response(response) => response.headers_mut().append(name, value),
        };
        self
    }

    /// Replaces a status that would not refuse anything, and logs it.
    pub(crate) fn checked(mut self) -> Self {
        let status = match &mut *self.kind {
            Kind::Message { status: None, .. } => return self,
            Kind::Message { status: Some(status), .. } => status,
            Kind::Response(response) => response.status_mut(),
        };
        // On HTTP/2, 2xx opens a WebSocket (RFC 8441 section 5).
        if status.as_u16() < 300 {
            tracing::error!(
                target: targets::REQUEST,
                %status,
                "a session cannot be refused with this status: 500 takes its place"
            );
            *status = StatusCode::INTERNAL_SERVER_ERROR;
        }
        self
    }

    /// Returns the status of the answer to a request of this transport.
    pub(crate) fn status(&self, transport: Transport) -> StatusCode {
        match &*self.kind {
            Kind::Message { status: Some(status), .. } => *status,
            Kind::Message { .. } if transport == Transport::WebSocket => StatusCode::BAD_REQUEST,
            Kind::Message { .. } => StatusCode::FORBIDDEN,
            Kind::Response(response) => response.status(),
        }
    }

    /// Returns the message in the answer, or what the status of a ready answer means.
    pub(crate) fn message(&self) -> &str {
        match &*self.kind {
            Kind::Message { message, .. } => message,
            Kind::Response(response) => response.status().canonical_reason().unwrap_or(FORBIDDEN),
        }
    }

    /// Returns the answer, if the application has given it as it is.
    pub(crate) fn ready(&self) -> Option<Response<Full<Bytes>>> {
        match &*self.kind {
            Kind::Message { .. } => None,
            Kind::Response(response) => Some(response.clone()),
        }
    }

    /// Returns the headers to add to an answer that is not [ready](Self::ready).
    pub(crate) fn headers(&self) -> Option<&HeaderMap> {
        match &*self.kind {
            Kind::Message { headers, .. } => Some(headers),
            Kind::Response(_) => None,
        }
    }
}

impl From<&str> for Rejection {
    fn from(message: &str) -> Self {
        Self::with(None, message.to_owned())
    }
}

impl From<String> for Rejection {
    fn from(message: String) -> Self {
        Self::with(None, message)
    }
}
