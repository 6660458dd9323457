//! Close codes and the body of a close frame (RFC 6455 sections 5.5.1 and 7.4).

use core::fmt;

/// The code that says why an endpoint closes a connection.
///
/// It can hold any number, because logs and APIs use some codes that are never sent. [`is_sendable`](Self::is_sendable)
/// returns whether a code may be sent.
///
/// ```
/// use eio_core::ws::CloseCode;
///
/// assert_eq!(CloseCode::GOING_AWAY.as_u16(), 1001);
/// assert_eq!(CloseCode::GOING_AWAY.to_string(), "1001 (going away)");
/// assert!(!CloseCode::NO_STATUS.is_sendable());
/// assert!(CloseCode::new(4000).is_sendable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server shuts down, or the browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the WebSocket protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: the endpoint does not accept this kind of message, for example binary where it expects text.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: the close frame carried no code. This code is never sent.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: the connection ended without a close frame. This code is never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: the bytes of a message do not match its kind, for example text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a message violates the policy of this endpoint, and no other code is more specific.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message is longer than this endpoint accepts.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client needs an extension that the server did not offer.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: the server met a condition that it did not expect.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the server restarts; reconnect after a random delay. This code is from the IANA registry, as are 1013 and
    /// 1014.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the server is overloaded; try later, or elsewhere.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid response from the server behind it.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: the TLS handshake failed. This code is never sent.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// Creates the code with this number.
    #[must_use]
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// Returns the number.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// Returns whether the code may be in a close frame: 1000–1003, 1007–1014, 3000–3999 (registered by libraries) or
    /// 4000–4999 (private). A close frame with any other code is refused on receipt and never written.
    #[must_use]
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// Returns the name of a code that RFC 6455 or the IANA registry defines.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NORMAL => "normal closure",
            Self::GOING_AWAY => "going away",
            Self::PROTOCOL_ERROR => "protocol error",
            Self::UNSUPPORTED_DATA => "unsupported data",
            Self::NO_STATUS => "no status received",
            Self::ABNORMAL => "abnormal closure",
            Self::INVALID_PAYLOAD => "invalid payload data",
            Self::POLICY_VIOLATION => "policy violation",
            Self::MESSAGE_TOO_BIG => "message too big",
            Self::MANDATORY_EXTENSION => "mandatory extension",
            Self::INTERNAL_ERROR => "internal error",
            Self::SERVICE_RESTART => "service restart",
            Self::TRY_AGAIN_LATER => "try again later",
            Self::BAD_GATEWAY => "bad gateway",
            Self::TLS_HANDSHAKE => "TLS handshake",
            _ => return None,
        })
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} ({name})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

/// The body of a close frame, if it has one: a code that may be sent, and at most 123 bytes of text (RFC 6455 section
/// 5.5.1).
///
/// ```
/// use eio_core::ws::{Close, CloseCode, CloseError};
///
/// let bye = Close::new(CloseCode::new(4001), "bye")?;
/// assert_eq!((bye.code().as_u16(), bye.reason()), (4001, "bye"));
/// assert_eq!(Close::new(CloseCode::ABNORMAL, ""), Err(CloseError::Code(CloseCode::ABNORMAL)));
/// # Ok::<(), CloseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Close<'a> {
    pub(super) code: CloseCode,
    pub(super) reason: &'a str,
}

impl<'a> Close<'a> {
    /// The length of the longest reason, in bytes. A control frame has 125 bytes, and the code takes 2 of them.
    pub const MAX_REASON: usize = 123;

    /// Creates a body from a code and a reason.
    ///
    /// # Errors
    /// Returns a [`CloseError`] for a code that is not [sendable](CloseCode::is_sendable), and for a reason longer than
    /// [`MAX_REASON`](Self::MAX_REASON).
    pub const fn new(code: CloseCode, reason: &'a str) -> Result<Self, CloseError> {
        if !code.is_sendable() {
            return Err(CloseError::Code(code));
        }
        if reason.len() > Self::MAX_REASON {
            return Err(CloseError::ReasonTooLong { len: reason.len() });
        }
        Ok(Self { code, reason })
    }

    /// Returns the code that says why the sender closes.
    #[must_use]
    pub const fn code(&self) -> CloseCode {
        self.code
    }

    /// Returns the reason, a text for logs and not for users. It is often empty.
    #[must_use]
    pub const fn reason(&self) -> &'a str {
        self.reason
    }
}

/// The reason why a code and a text do not make a valid body of a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CloseError {
    /// The code must not be in a close frame.
    #[error("close code {0} must not be sent: expected 1000 to 1003, 1007 to 1014, or 3000 to 4999")]
    Code(CloseCode),
    /// The reason is too long.
    #[error("close reason of {len} bytes: expected at most 123")]
    ReasonTooLong {
        /// The length of the reason, in bytes.
        len: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
    fn exactly_the_defined_registered_and_private_codes_may_travel() {
        for code in 0..=u16::MAX {
            let defined = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
            let expected = defined.contains(&code) || (3000..5000).contains(&code);
            assert_eq!(CloseCode::new(code).is_sendable(), expected, "{code}");
        }
    }

    #[test]
    fn the_codes_that_never_travel_still_have_names() {
        for code in [CloseCode::NO_STATUS, CloseCode::ABNORMAL, CloseCode::TLS_HANDSHAKE] {
            assert!(code.name().is_some() && !code.is_sendable());
        }
        assert_eq!(CloseCode::new(1004).name(), None);
    }

    #[test]
    fn a_body_that_no_close_frame_can_carry_is_refused() {
        let reason = core::str::from_utf8(&[b'x'; 124]).unwrap();
        let new = |code, reason| Close::new(code, reason).map(|_| ());
        assert_eq!(new(CloseCode::NORMAL, reason), Err(CloseError::ReasonTooLong { len: 124 }));
        assert_eq!(new(CloseCode::NORMAL, &reason[1..]), Ok(()));
        for code in [CloseCode::NO_STATUS, CloseCode::ABNORMAL, CloseCode::TLS_HANDSHAKE, CloseCode::new(0)] {
            assert_eq!(new(code, ""), Err(CloseError::Code(code)));
        }
    }

    #[test]
    fn each_code_is_displayed_with_its_name() {
        extern crate std;
        use std::string::ToString;

        let names = [
            "1000 (normal closure)",
            "1001 (going away)",
            "1002 (protocol error)",
            "1003 (unsupported data)",
            "1004",
            "1005 (no status received)",
            "1006 (abnormal closure)",
            "1007 (invalid payload data)",
            "1008 (policy violation)",
            "1009 (message too big)",
            "1010 (mandatory extension)",
            "1011 (internal error)",
            "1012 (service restart)",
            "1013 (try again later)",
            "1014 (bad gateway)",
            "1015 (TLS handshake)",
            "1016",
        ];
        for (code, name) in (1_000..).zip(names) {
            assert_eq!(CloseCode::new(code).to_string(), name);
        }
    }
}
