//! URLs in a form that logs may show.

/// Returns `url` with its secrets hidden: the user name and the password, the values in its query, and its fragment. Each
/// becomes `…`.
///
/// Use it for logs and error messages; the errors of this crate show URLs in this form. If text is not a URL, the
/// function hides too much rather than too little.
///
/// ```
/// let shown = eio_tokio::redact_url("wss://ann:secret@host:8443/chat/?token=abc&room=1#top");
/// assert_eq!(shown, "wss://…@host:8443/chat/?token=…&room=…#…");
/// ```
#[must_use]
pub fn redact_url(url: &str) -> String {
    let is_scheme =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let (scheme, rest) = match url.find("://") {
        Some(at) if is_scheme(&url[..at]) => url.split_at(at + 3),
        _ => ("", url),
    };
    let (user, rest) = match end_of_user_info(rest) {
        Some(at) => ("…@", &rest[at + 1..]),
        None => ("", rest),
    };
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let port_hidden = has_odd_port(authority).then(|| authority.rfind(':')).flatten();
    let authority = match port_hidden {
        Some(colon) => format!("{}:…", &authority[..colon]),
        None => authority.to_owned(),
    };
    let (tail, fragment) = match tail.split_once('#') {
        Some((tail, _)) => (tail, "#…"),
        None => (tail, ""),
    };
    let (path, query) = match tail.split_once('?') {
        Some((path, query)) => (path, format!("?{}", names(query))),
        None => (tail, String::new()),
    };
    format!("{scheme}{user}{authority}{path}{query}{fragment}")
}

/// Returns a query without its values.
fn names(query: &str) -> String {
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) => format!("{name}=…"),
        // A parameter without `=` may be a value.
        None => "…".to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// Returns the position of the `@` after user name and password. A password may contain a slash or a question mark that
/// should have been written as `%2F` or `%3F`.
fn end_of_user_info(rest: &str) -> Option<usize> {
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    if authority.contains('@') {
        return authority.rfind('@');
    }
    if has_odd_port(authority) {
        return rest.rfind('@');
    }
    let path = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
    path.rfind('@').filter(|at| path[authority.len()..*at].contains(':'))
}

/// Returns whether the text in the place of the port is not a port. It may be the beginning of a password.
fn has_odd_port(authority: &str) -> bool {
    let behind_host = authority.rfind(']').map_or(authority, |at| &authority[at..]);
    behind_host.split_once(':').is_some_and(|(_, port)| !port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_else_is_hidden() {
        for url in [
            "http://h",
            "https://h:8443/",
            "ws://[::1]:3000/a/b/",
            "localhost:3000",
            "h",
            "",
            "http://",
            "http://h/users/@me",
            "http://h:99999/",
            "http://exa mple/",
        ] {
            assert_eq!(redact_url(url), url);
        }
    }

    #[test]
    fn user_and_password_are_hidden_whatever_else_is_wrong() {
        for url in [
            "http://ann:secret@h/",
            "http://secret@h/",
            "ann:secret@h",
            "http://ann:sec@ret@h/",
            "ftp://ann:secret@h",
            "http://ann:sec/ret@h/",
            "http://ann:sec?ret@h/",
            "http://ann:sec#ret@h/",
            "http://ann:secret",
            "ann:secret@http://h",
            "http://a/nn:secret@h",
            "http://ann:secret@h:x/",
            "http://[::1]:secret/",
        ] {
            let shown = redact_url(url);
            assert!(!shown.contains("sec") && !shown.contains("ret"), "{url}: {shown}");
        }
        assert_eq!(redact_url("http://ann:secret@[::1]:80/a"), "http://…@[::1]:80/a");
    }

    #[test]
    fn values_of_the_query_are_hidden_and_their_names_are_not() {
        assert_eq!(redact_url("http://h/a?token=x@y&&room"), "http://h/a?token=…&…&…");
        assert_eq!(redact_url("/a?token=x#y"), "/a?token=…#…");
    }
}
