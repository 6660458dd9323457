//! A server's explanation why a client may not join.

use core::fmt;

use serde::de::DeserializeOwned;

use crate::args::{DecodeError, RawArgs};
use crate::value::Value;

/// The server's explanation why it refuses a client.
///
/// In Node, it is the error that a middleware passes to `next`: its message, and its `data`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Refused {
    /// The message; empty if the server sent none.
    pub message: String,
    /// What the server sent along with it.
    pub data: Option<Value>,
}

impl Refused {
    /// Reads the data of the packet. Servers of Socket.IO 2 send a text, or any other value, instead of an object.
    pub(super) fn read(args: &RawArgs) -> Self {
        #[derive(serde::Deserialize)]
        struct Explained {
            message: String,
            data: Option<Value>,
        }
        if let Ok(Explained { message, data }) = args.first() {
            return Self { message, data };
        }
        match args.first::<String>() {
            Ok(message) => Self { message, data: None },
            Err(_) => Self { message: String::new(), data: args.first().ok() },
        }
    }

    /// Returns about the memory that it takes.
    pub(super) fn byte_len(&self) -> usize {
        self.message.len() + self.data.as_ref().map_or(0, Value::byte_len)
    }

    /// Reads the data as a Rust type. Without data, it reads null.
    ///
    /// # Errors
    /// Returns a [`DecodeError`] if the data does not fit the type.
    pub fn data_as<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        RawArgs::from_values(self.data.clone()).first()
    }
}

/// Displays the message.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.message.is_empty() {
            f.write_str("without a message")
        } else {
            write!(f, "{:?}", self.message)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(data: serde_json::Value) -> Refused {
        Refused::read(&RawArgs::new(data).unwrap())
    }

    #[test]
    fn a_refusal_has_a_message_and_data_of_any_type() {
        let refused = read(json!({ "message": "no", "data": { "code": 7 } }));
        assert_eq!(refused.message, "no");
        assert_eq!(refused.data_as::<std::collections::HashMap<String, u8>>().unwrap()["code"], 7);
        let refused = read(json!({ "message": "no" }));
        assert_eq!((refused.data.as_ref(), refused.data_as::<Option<u8>>()), (None, Ok(None)));
    }

    #[test]
    fn values_count_as_the_memory_that_they_take_which_is_more_than_their_text() {
        let zeros = read(json!(vec![0; 1000]));
        assert!(zeros.byte_len() >= 1000 * size_of::<Value>(), "{}", zeros.byte_len());
        assert_eq!(read(json!("denied")).byte_len(), "denied".len());
    }

    #[test]
    fn an_old_server_refuses_with_a_text_or_with_bare_data() {
        assert_eq!(read(json!("Invalid namespace")).message, "Invalid namespace");
        let refused = read(json!({ "code": 1 }));
        assert_eq!(refused.message, "");
        assert_eq!(refused.data_as::<serde_json::Value>().unwrap(), json!({ "code": 1 }));
    }
}
