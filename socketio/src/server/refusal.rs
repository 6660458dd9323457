//! Why a client may not join a namespace.

use serde::Serialize;

use crate::args::{EncodeError, IntoArgs as _, RawArgs};
use crate::value::Value;

/// The answer of a [middleware](crate::Namespace::middleware) that does not let a client join. The client gets a
/// `connect_error` whose `message` and `data` are these.
///
/// ```
/// use eio_socketio::{Auth, Namespace, Refusal};
///
/// #[derive(serde::Deserialize)]
/// struct Login {
///     token: String,
/// }
///
/// async fn authenticate(Auth(login): Auth<Login>) -> Result<(), Refusal> {
///     if login.token == "t0k3n" { Ok(()) } else { Err(Refusal::new("unknown token")) }
/// }
///
/// let namespace = Namespace::<()>::new().middleware(authenticate);
/// # let _ = namespace;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    message: String,
    data: Option<Value>,
}

impl Refusal {
    /// The refusal of a namespace that the server does not have, in the words of the reference.
    pub(crate) fn unknown_namespace() -> Self {
        Self::new("Invalid namespace")
    }

    /// Returns a refusal with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), data: None }
    }

    /// Adds data, which the client finds as `error.data`.
    ///
    /// A client of Socket.IO 2 gets the data instead of the message, if it is an object or a string. Where a client cannot
    /// get the data, it gets the message alone.
    ///
    /// # Errors
    /// Returns an [`EncodeError`] if the data cannot be written as JSON, holds [`Binary`](crate::Binary), or nests more than
    /// 62 levels deep. In a middleware, `?` makes it a refusal, too:
    ///
    /// ```
    /// use eio_socketio::Refusal;
    ///
    /// async fn closed() -> Result<(), Refusal> {
    ///     Err(Refusal::new("closed").with_data(serde_json::json!({ "opens": 8 }))?)
    /// }
    /// # let _ = closed;
    /// ```
    pub fn with_data(mut self, data: impl Serialize) -> Result<Self, EncodeError> {
        let data = RawArgs::new(data)?;
        if !data.attachments().is_empty() {
            return Err(EncodeError::Serialize("expected a refusal without binary data".into()));
        }
        self.data = data.values().map_err(|error| EncodeError::Serialize(error.to_string().into()))?.pop();
        // It nests one level deeper in the packet.
        self.packet_data()?;
        Ok(self)
    }

    /// Returns the message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the data, if there is any.
    #[must_use]
    pub fn data(&self) -> Option<&Value> {
        self.data.as_ref()
    }

    /// Returns the refusal with its message alone.
    pub(crate) fn without_data(&self) -> Self {
        Self { message: self.message.clone(), data: None }
    }

    /// Returns the data of the packet for a client of Socket.IO 3 or later.
    pub(crate) fn packet_data(&self) -> Result<RawArgs, EncodeError> {
        #[derive(Serialize)]
        struct Object<'a> {
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            data: Option<&'a Value>,
        }
        Object { message: &self.message, data: self.data.as_ref() }.into_args()
    }

    /// Returns the data of the packet for a client of Socket.IO 2: the data itself, or the message.
    pub(crate) fn old_packet_data(&self) -> Result<RawArgs, EncodeError> {
        match &self.data {
            Some(data) => data.into_args(),
            None => self.message.as_str().into_args(),
        }
    }
}

/// The client is refused, and its `message` says why the data of the refusal could not be written.
impl From<EncodeError> for Refusal {
    fn from(error: EncodeError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<&str> for Refusal {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Binary;

    #[test]
    fn data_that_no_packet_can_hold_is_refused() {
        let deep = |depth| (0..depth).fold(Value::Null, |inner, _| vec![inner].into());
        let refusal = Refusal::new("no").with_data(deep(62)).unwrap();
        assert_eq!(refusal.data(), Some(&deep(62)));
        assert!(refusal.packet_data().is_ok());
        assert_eq!(Refusal::new("no").with_data(deep(63)), Err(EncodeError::TooDeep));
        for binary in [Value::from(Binary::from(vec![1])), vec![Value::from(Binary::from(vec![1]))].into()] {
            let refused = Refusal::new("no").with_data(binary).unwrap_err();
            assert_eq!(
                refused.to_string(),
                "the argument cannot be written: expected a refusal without binary data"
            );
        }
    }
}
