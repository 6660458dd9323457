//! What a client proves its identity with.

use core::fmt;
use core::panic::AssertUnwindSafe;
use core::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt as _;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::client::error::JoinError;

/// What the client sends when it joins a namespace: `auth` in Node. The server's middleware sees it.
///
/// It becomes a JSON object, because servers close the connection if it is anything else.
///
/// ```
/// use eio_socketio::client::Credentials;
/// use serde_json::json;
///
/// let fixed = Credentials::new(json!({ "token": "t0k3n" }));
/// // Asked for anew each time that the client joins, also after a reconnect.
/// let fresh = Credentials::asked(async || {
///     let token = std::fs::read_to_string("/run/token")?;
///     Ok::<_, std::io::Error>(json!({ "token": token }))
/// });
/// # drop((fixed, fresh));
/// ```
#[derive(Clone, Default)]
pub struct Credentials(Source);

type Answer = Result<Map<String, Value>, JoinError>;
type Asking = Pin<Box<dyn Future<Output = Answer> + Send>>;

#[derive(Clone)]
enum Source {
    Fixed(Answer),
    Asked(Arc<dyn Fn() -> Asking + Send + Sync>),
}

impl Default for Source {
    fn default() -> Self {
        Self::Fixed(Ok(Map::new()))
    }
}

impl Credentials {
    /// Returns credentials that stay the same. Null stands for none.
    ///
    /// If `object` does not serialize as an object, joining fails with [`JoinError::InvalidCredentials`], before anything
    /// is sent.
    pub fn new(object: impl Serialize) -> Self {
        Self(Source::Fixed(object_of(object)))
    }

    /// Returns credentials that a function is asked for each time that the client joins the namespace.
    ///
    /// If the function fails or panics, the client does not join: [`Client::join`](crate::client::Client::join) returns
    /// [`JoinError::NoCredentials`], and after a reconnect [`Incoming::ConnectError`](crate::client::Incoming::ConnectError)
    /// holds it. The function then runs in a task of its own, so it may take its time: other namespaces do not wait. If the
    /// connection is lost meanwhile and opens again, the function goes on, and what it returns is sent on the new connection:
    /// for one namespace, it is not asked again before it has answered.
    pub fn asked<F, R, T, E>(ask: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, E>> + Send + 'static,
        T: Serialize,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self(Source::Asked(Arc::new(move || {
            let asked = ask();
            Box::pin(async move {
                let object = asked.await.map_err(|error| JoinError::NoCredentials(error.into().into()))?;
                object_of(object)
            })
        })))
    }

    /// Returns the credentials if nobody has to be asked.
    pub(super) fn fixed(&self) -> Option<&Answer> {
        match &self.0 {
            Source::Fixed(answer) => Some(answer),
            Source::Asked(_) => None,
        }
    }

    pub(super) async fn ask(&self) -> Answer {
        match &self.0 {
            Source::Fixed(answer) => answer.clone(),
            Source::Asked(ask) => {
                let asking = AssertUnwindSafe(async { ask().await });
                asking.catch_unwind().await.unwrap_or_else(|_| {
                    Err(JoinError::NoCredentials(Arc::from(Box::from(
                        "the function that returns them panicked",
                    ))))
                })
            }
        }
    }
}

fn object_of(object: impl Serialize) -> Answer {
    let invalid = |why: &str| Err(JoinError::InvalidCredentials(why.into()));
    match serde_json::to_value(object) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(Value::Null) => Ok(Map::new()),
        // The value may be a secret.
        Ok(_) => invalid("expected an object"),
        Err(error) => invalid(&error.to_string()),
    }
}

/// Shows nothing of them.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn credentials_are_an_object_or_nothing() {
        assert_eq!(
            Credentials::new(json!({ "a": 1 })).ask().await.unwrap(),
            *json!({ "a": 1 }).as_object().unwrap()
        );
        assert!(Credentials::new(()).ask().await.unwrap().is_empty());
        assert!(Credentials::default().ask().await.unwrap().is_empty());
        for wrong in [json!([1]), json!("text"), json!(1), json!(true)] {
            let refused = Credentials::new(&wrong).ask().await;
            assert!(matches!(refused, Err(JoinError::InvalidCredentials(_))), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_function_that_fails_or_panics_yields_an_error() {
        let failing = Credentials::asked(async || Err::<(), _>("expired"));
        assert_eq!(failing.ask().await.unwrap_err().to_string(), "no credentials: expired");
        let panicking = Credentials::asked(|| -> std::future::Ready<Result<(), String>> { panic!("a bug") });
        assert!(matches!(panicking.ask().await, Err(JoinError::NoCredentials(_))));
    }
}
