//! Who has signed in: an extractor for routes and sessions alike.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The names of those who have signed in, by the token in their cookie. They are kept until the process ends.
#[derive(Clone, Default)]
pub(crate) struct People {
    names: Arc<Mutex<HashMap<String, String>>>,
}

impl People {
    /// Returns a cookie for somebody of this name.
    pub(crate) fn sign_in(&self, name: &str) -> Result<String, NotSignedIn> {
        let name: String = name.chars().filter(|character| !character.is_control()).take(32).collect();
        if name.trim().is_empty() {
            return Err(NotSignedIn);
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| NotSignedIn)?;
        let token = format!("{:032x}", u128::from_ne_bytes(random));
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(token.clone(), name);
        // No page of another site can make a browser send it, and no script can read it. Behind TLS, add `Secure`.
        Ok(format!("token={token}; Path=/; HttpOnly; SameSite=Strict"))
    }
}

/// Somebody who has signed in.
pub(crate) struct User {
    pub(crate) name: String,
}

impl FromRequestParts<People> for User {
    type Rejection = NotSignedIn;

    async fn from_request_parts(head: &mut Parts, people: &People) -> Result<Self, NotSignedIn> {
        let names = people.names.lock().unwrap_or_else(PoisonError::into_inner);
        let cookies = head.headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        let name = cookies
            .flat_map(|cookies| cookies.split("; "))
            .filter_map(|cookie| cookie.strip_prefix("token="))
            .find_map(|token| names.get(token));
        name.map(|name| Self { name: name.clone() }).ok_or(NotSignedIn)
    }
}

/// Answers a request of somebody who has not signed in.
pub(crate) struct NotSignedIn;

impl IntoResponse for NotSignedIn {
    fn into_response(self) -> Response {
        (StatusCode::UNAUTHORIZED, "sign in with a name first").into_response()
    }
}
