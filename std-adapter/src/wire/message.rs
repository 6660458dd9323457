//! The messages that applications send and receive.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use eio_core::BufferTooSmall;
use eio_core::packet::{Data, WebSocketMessage};

use crate::wire::small;

/// A message: text or bytes. Cloning is cheap, because clones share the payload.
///
/// Methods that send take anything that becomes a message: every common type of text or bytes, and the payload of a
/// received message.
///
/// ```
/// use eio_tokio::{Message, Socket};
///
/// async fn shout(mut socket: Socket) {
///     while let Ok(message) = socket.recv().await {
///         let sent = match message {
///             Message::Text(text) if text.is_empty() => socket.send(text).await,
///             Message::Text(text) => socket.send(text.to_uppercase()).await,
///             Message::Binary(bytes) => socket.send(bytes).await,
///         };
///         if sent.is_err() {
///             break;
///         }
///     }
/// }
/// # let _ = eio_tokio::Server::builder(shout);
/// ```
///
/// Received messages of at most 128 bytes share buffers of 2 KiB: to keep one of them may keep its whole buffer. A longer
/// one has its payload to itself: to keep it takes about as much memory as it is long, whatever arrived together with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has these two kinds")]
pub enum Message {
    /// A text message.
    Text(ByteString),
    /// A binary message.
    Binary(Bytes),
}

impl Message {
    /// Returns a text message.
    pub fn text(text: impl Into<ByteString>) -> Self {
        Self::Text(text.into())
    }

    /// Returns a binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// Returns the payload's length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Returns whether the payload is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the text of a text message, and `None` for a binary one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Returns the payload's bytes, for either kind of message.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    pub(crate) fn as_websocket_message(&self) -> WebSocketMessage<'_> {
        match self {
            Self::Text(text) => WebSocketMessage::Text(text),
            Self::Binary(bytes) => WebSocketMessage::Binary(bytes),
        }
    }

    /// Copies a decoded packet's data out of the buffer that it borrows.
    ///
    /// # Errors
    /// Returns an error if base64 is longer than it was measured, which should be impossible.
    #[inline]
    pub(crate) fn from_data(data: Data<'_>) -> Result<Self, BufferTooSmall> {
        Ok(match data {
            Data::Text(text) => Self::Text(small::copy_text(text)),
            Data::Binary(bytes) => Self::Binary(small::copy(bytes)),
            Data::Base64(base64) => {
                let mut bytes = vec![0; base64.decoded_len()];
                let len = base64.decode(&mut bytes)?.len();
                bytes.truncate(len);
                Self::Binary(bytes.into())
            }
        })
    }

    /// Takes a decoded packet's data out of the WebSocket message `frame` that it borrows. Text and bytes are not copied.
    ///
    /// # Errors
    /// Returns an error if base64 is longer than it was measured, which should be impossible.
    pub(crate) fn from_data_in(data: Data<'_>, frame: &Self) -> Result<Self, BufferTooSmall> {
        match (data, frame) {
            (Data::Text(text), Self::Text(frame)) => Ok(Self::Text(frame.slice_ref(text))),
            (Data::Binary(bytes), Self::Binary(frame)) => Ok(Self::Binary(frame.slice_ref(bytes))),
            (data, _) => Self::from_data(data),
        }
    }
}

/// Makes messages of the types that applications have texts and bytes in.
macro_rules! messages_from {
    ($($constructor:ident: $($type:ty),+;)+) => {
        $($(
            impl From<$type> for Message {
                fn from(payload: $type) -> Self {
                    Self::$constructor(payload)
                }
            }
        )+)+
    };
}

// Without a copy, except of what is only borrowed.
messages_from! {
    text: ByteString, String, Box<str>, &str;
    binary: Bytes, BytesMut, Vec<u8>, Box<[u8]>;
}

impl From<&String> for Message {
    fn from(text: &String) -> Self {
        Self::text(text.as_str())
    }
}

impl From<Cow<'_, str>> for Message {
    fn from(text: Cow<'_, str>) -> Self {
        Self::text(text.into_owned())
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::binary(Bytes::copy_from_slice(bytes))
    }
}

impl<const LEN: usize> From<&[u8; LEN]> for Message {
    fn from(bytes: &[u8; LEN]) -> Self {
        Self::from(bytes.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_holds_text_or_bytes_becomes_a_message_of_its_kind() {
        let owned = || "text".to_owned();
        let texts: [Message; 7] = [
            "text".into(),
            owned().into(),
            (&owned()).into(),
            owned().into_boxed_str().into(),
            Cow::Borrowed("text").into(),
            Cow::<str>::Owned(owned()).into(),
            ByteString::from("text").into(),
        ];
        assert!(texts.iter().all(|message| *message == Message::Text("text".into())), "{texts:?}");
        let bytes: [Message; 6] = [
            b"bytes".into(),
            b"bytes".as_slice().into(),
            b"bytes".to_vec().into(),
            b"bytes".to_vec().into_boxed_slice().into(),
            Bytes::from_static(b"bytes").into(),
            BytesMut::from("bytes").into(),
        ];
        assert!(bytes.iter().all(|message| *message == Message::Binary("bytes".into())), "{bytes:?}");
    }

    #[test]
    fn what_was_received_is_sent_back_without_a_copy() {
        let received = ByteString::from("a received text".to_owned());
        assert_eq!(Message::from(received.clone()).as_bytes().as_ptr(), received.as_bytes().as_ptr());
    }
}
