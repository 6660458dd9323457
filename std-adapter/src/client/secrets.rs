//! Hides secrets that a server may repeat in its answers: the session's id, and the values of the caller's query.

use http::Uri;
use percent_encoding::percent_decode_str;

/// The length of the shortest value of the caller's query that is hidden. Shorter values are parts of many words.
const SHORTEST: usize = 4;

/// The secrets of one request's target, as they are written there and decoded.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    sid: Vec<String>,
    values: Vec<String>,
}

impl Secrets {
    pub(crate) fn of(target: &Uri) -> Self {
        Self::of_query(target.query().unwrap_or_default())
    }

    pub(crate) fn of_query(query: &str) -> Self {
        let mut secrets = Self::default();
        for parameter in query.split('&') {
            // A parameter without `=` may be a value.
            let (name, value) = parameter.split_once('=').unwrap_or(("", parameter));
            if name == "sid" {
                secrets.sid.extend(forms(value).into_iter().filter(|form| !form.is_empty()));
            } else if !is_reserved(parameter) {
                let is_long = |form: &String| form.chars().count() >= SHORTEST;
                secrets.values.extend(forms(value).into_iter().filter(is_long));
            }
        }
        // Longer values come first, because a value may be a part of another one.
        secrets.values.sort_by_key(|value| core::cmp::Reverse(value.len()));
        secrets
    }

    /// Hides the session's id in a text.
    pub(crate) fn hide_sid(&self, text: &str) -> String {
        self.sid.iter().fold(text.to_owned(), |text, sid| text.replace(sid, "…"))
    }

    /// Hides all secrets in a text.
    pub(crate) fn hide(&self, text: &str) -> String {
        // The id comes last, because a short id may be a part of a value.
        let text = self.values.iter().fold(text.to_owned(), |text, value| text.replace(value, "…"));
        self.hide_sid(&text)
    }

    /// Hides all secrets in a text that may have been cut off within a secret.
    pub(crate) fn hide_in_part(&self, text: &str) -> String {
        let mut text = self.hide(text);
        // The text may end with a part of a character.
        let whole = text.trim_end_matches(char::REPLACEMENT_CHARACTER);
        let beginnings = self
            .values
            .iter()
            .chain(&self.sid)
            .flat_map(|secret| secret.char_indices().skip(SHORTEST).map(|(at, _)| &secret[..at]));
        let cut = beginnings.filter(|beginning| whole.ends_with(beginning)).map(str::len);
        if let Some(cut) = cut.max() {
            text.truncate(whole.len() - cut);
            text.push('…');
        }
        text
    }
}

/// Returns a value as it is written, percent-decoded, and decoded as in a form.
fn forms(value: &str) -> [String; 3] {
    let decoded = |value: &str| percent_decode_str(value).decode_utf8_lossy().into_owned();
    [value.to_owned(), decoded(value), decoded(&value.replace('+', " "))]
}

/// The query parameters that the protocol itself sets. They are removed from the caller's URL.
pub(crate) const RESERVED: [&str; 6] = ["EIO", "transport", "sid", "t", "j", "b64"];

/// Returns whether this part of a query, `name=value` or `name`, is one that the protocol itself sets.
pub(crate) fn is_reserved(parameter: &str) -> bool {
    form_urlencoded::parse(parameter.as_bytes()).next().is_some_and(|(name, _)| RESERVED.contains(&&*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(query: &str) -> Secrets {
        Secrets::of_query(query)
    }

    #[test]
    fn the_sid_and_the_callers_values_are_hidden_as_written_and_decoded() {
        let secrets = secrets(
            "EIO=4&transport=polling&sid=s%2F1&t=abcdef&token=a%20b%2Fc&name=one+two&bare-word&x=abc",
        );
        for (text, shown) in [
            ("GET /?sid=s%2F1&token=a%20b%2Fc", "GET /?sid=…&token=…"),
            ("no s/1, no a b/c, no one two, no one+two", "no …, no …, no …, no …"),
            ("bare-word", "…"),
            ("transport polling, t abcdef, x abc", "transport polling, t abcdef, x abc"),
        ] {
            assert_eq!(secrets.hide(text), shown);
        }
        assert_eq!(secrets.hide_sid("s/1 bare-word"), "… bare-word");
        assert_eq!(Secrets::default().hide_in_part("anything"), "anything");
    }

    #[test]
    fn of_two_values_the_longer_one_is_hidden_first() {
        assert_eq!(secrets("a=abcd&b=abcdefgh&sid=b").hide("abcdefgh abcd b"), "… … …");
    }

    #[test]
    fn a_text_that_ends_within_a_secret_shows_nothing_of_it() {
        let secrets = secrets("token=abcdé%26ghi&sid=0123456789");
        for (text, shown) in [
            ("token abcdé&g", "token …"),
            ("token abcd\u{fffd}", "token …"),
            ("sid 012345", "sid …"),
            ("abc", "abc"),
            ("abcdef", "abcdef"),
        ] {
            assert_eq!(secrets.hide_in_part(text), shown);
        }
    }
}
