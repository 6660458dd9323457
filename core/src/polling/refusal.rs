//! Requests that are refused, and posts that fail.

/// The reason why a request of polling is refused, and the HTTP answer to it.
///
/// ```
/// use eio_core::polling::Refusal;
///
/// assert_eq!(Refusal::SessionEnded.status(), 400);
/// assert_eq!(Refusal::SessionEnded.body(), r#"{"code":1,"message":"Session ID unknown"}"#);
/// assert_eq!((Refusal::PayloadTooLarge.status(), Refusal::PayloadTooLarge.body()), (413, ""));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refusal {
    /// The session has ended.
    #[error("the session has ended")]
    SessionEnded,
    /// The session has moved to another transport.
    #[error("the session has moved to another transport")]
    OtherTransport,
    /// A request of the same kind is in flight. The session ends.
    #[error("overlapping requests")]
    Overlapping,
    /// The revision does not allow the content type of the post. The session ends.
    #[error("content type not supported")]
    ContentType,
    /// The post is longer than `max_payload`. The session continues.
    #[error("payload too large")]
    PayloadTooLarge,
    /// The post did not arrive in time. The session ends.
    #[error("the post did not arrive in time")]
    Timeout,
    /// The post holds bytes that are not a packet. The packets before them were delivered, and the session ended.
    #[error("the post holds bytes that are not a packet")]
    Malformed,
}

impl Refusal {
    /// Returns the status code of the HTTP answer.
    ///
    /// Source: engine.io 6.6, except for [`Malformed`](Self::Malformed), whose refusal the protocol's text and test suite
    /// require, and for [`Timeout`](Self::Timeout) (RFC 9110 section 15.5.9).
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::SessionEnded
            | Self::OtherTransport
            | Self::Overlapping
            | Self::ContentType
            | Self::Malformed => 400,
            Self::Timeout => 408,
            Self::PayloadTooLarge => 413,
        }
    }

    /// Returns the body of the HTTP answer: `application/json`, or nothing.
    #[must_use]
    pub const fn body(self) -> &'static str {
        match self {
            Self::SessionEnded => r#"{"code":1,"message":"Session ID unknown"}"#,
            Self::OtherTransport => r#"{"code":3,"message":"Bad request"}"#,
            _ => "",
        }
    }
}

/// The reason why a post was not received as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "a body is too long, too slow, or cut off")]
pub enum PostFailure {
    /// The body is longer than `max_payload`. The client may send a shorter one, so the session continues.
    TooLarge,
    /// The post took longer than the caller allows. The session ends.
    TimedOut,
    /// The client went away. Packets may be lost, so the session ends.
    Aborted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_status_and_two_have_a_body() {
        use Refusal::*;
        let answers = [
            (SessionEnded, 400, r#"{"code":1,"message":"Session ID unknown"}"#),
            (OtherTransport, 400, r#"{"code":3,"message":"Bad request"}"#),
            (Overlapping, 400, ""),
            (ContentType, 400, ""),
            (PayloadTooLarge, 413, ""),
            (Timeout, 408, ""),
            (Malformed, 400, ""),
        ];
        for (refusal, status, body) in answers {
            assert_eq!((refusal.status(), refusal.body()), (status, body), "{refusal}");
        }
    }
}
