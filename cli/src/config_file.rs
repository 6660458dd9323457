//! Configuration files in TOML, YAML or JSON, and where in them a mistake is.

use core::ops::Range;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::nearest::nearest;
use crate::usage::Failure;

/// The size of the largest file. A server's settings take a few kilobytes.
const MAX_BYTES: usize = 1 << 20;

/// Reads a file in the format that its name ends with. A file without content is the default.
///
/// # Errors
/// Returns a sentence with the file, the line, the path of the member, what is wrong with it and what was expected.
pub(crate) fn read<T: DeserializeOwned + Default>(path: &Path) -> Result<T, Failure> {
    let name = path.display();
    let format = Format::of(path).ok_or_else(|| {
        format!("{name}: the format is unknown: expected a name that ends in .toml, .yaml, .yml or .json")
    })?;
    let text = content(path).map_err(|sentence| Failure::unusable(format!("{name}: {sentence}")))?;
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if text.trim().is_empty() {
        return Ok(T::default());
    }
    format.parse(text).map_err(|mistake| {
        let line = mistake.line.map_or(String::new(), |line| format!(":{line}"));
        format!("{name}{line}: {}", mistake.sentence()).into()
    })
}

fn content(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot read the file: {error}");
    let file = File::open(path).map_err(cannot)?;
    if file.metadata().map_err(cannot)?.is_dir() {
        return Err("it is a directory: expected a file".to_owned());
    }
    let mut bytes = Vec::new();
    // Not the size from the metadata: a pipe has none.
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() > MAX_BYTES {
        return Err(format!("the file is too large: expected at most {MAX_BYTES} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        format!("line {} is not valid UTF-8", line_at_end(before))
    })
}

/// Returns the number of the line in which these bytes end, from 1.
fn line_at_end(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Toml,
    Yaml,
    Json,
}

/// A mistake in a file.
struct Mistake {
    /// `None` if the mistake is in no single place.
    line: Option<usize>,
    /// The path of the member, or `.` for the whole file.
    path: String,
    message: String,
}

impl Mistake {
    fn sentence(&self) -> String {
        let Self { path, message, .. } = self;
        // Parsers write what they expect on further lines.
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let message = in_our_words(&message).unwrap_or(message);
        // A question mark stands for a name that was not read yet.
        let path = path.trim_end_matches('?').trim_end_matches('.');
        // The core's settings name themselves.
        let member = path.rsplit('.').next().unwrap_or_default();
        if member.is_empty() || message.starts_with(&format!("{member} ")) {
            message
        } else {
            format!("{path}: {message}")
        }
    }
}

/// Returns what serde says about a member, in the words of our own messages.
fn in_our_words(message: &str) -> Option<String> {
    if let Some(rest) = message.strip_prefix("missing field `") {
        return Some(format!("`{}` is missing", rest.split('`').next()?));
    }
    if let Some(rest) = message.strip_prefix("duplicate field `") {
        return Some(format!("`{}` is given twice: expected it once", rest.split('`').next()?));
    }
    let typed = message.strip_prefix("unknown field `")?.split('`').next()?;
    // The reader of YAML leaves out the backticks.
    let (_, known) = message.split_once("`, expected ")?;
    let known = known.strip_prefix("one of ").unwrap_or(known);
    let names = known.split([' ', ',', '`']).filter(|name| !name.is_empty() && *name != "or");
    let known: Vec<&str> = names.collect();
    Some(match nearest(typed, known.iter().copied()) {
        Some(meant) => format!("unknown member `{typed}`: did you mean `{meant}`?"),
        None => format!("unknown member `{typed}`: expected one of `{}`", known.join("`, `")),
    })
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    fn parse<T: DeserializeOwned + Default>(self, text: &str) -> Result<T, Mistake> {
        match self {
            Self::Toml => toml(text),
            Self::Yaml => yaml(text),
            Self::Json => json(text),
        }
    }
}

fn toml<T: DeserializeOwned>(text: &str) -> Result<T, Mistake> {
    let mistake = |path: String, error: &toml::de::Error, span: Option<Range<usize>>| {
        let before = span.and_then(|span| text.get(..span.start));
        Mistake {
            line: before.map(|before| line_at_end(before.as_bytes())),
            path,
            message: error.message().to_owned(),
        }
    };
    let reader =
        toml::Deserializer::parse(text).map_err(|error| mistake(".".to_owned(), &error, error.span()))?;
    serde_path_to_error::deserialize(reader).map_err(|error| {
        // A mistake of the whole file is in no line.
        let span = error.inner().span().filter(|_| error.path().iter().len() > 0);
        mistake(error.path().to_string(), error.inner(), span)
    })
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, Mistake> {
    let mistake = |path: String, error: &serde_json::Error| {
        let message = error.to_string();
        let position = format!(" at line {} column {}", error.line(), error.column());
        let message = message.strip_suffix(&position).unwrap_or(&message).to_owned();
        Mistake { line: Some(error.line()).filter(|line| *line > 0), path, message }
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| mistake(error.path().to_string(), error.inner()))?;
    reader.end().map_err(|error| mistake(".".to_owned(), &error))?;
    Ok(value)
}

fn yaml<T: DeserializeOwned + Default>(text: &str) -> Result<T, Mistake> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        // Then the settings say which member is given twice.
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        // A file of the largest size has no more. Aliases make no more of them, either.
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 10_000 },
    };
    let mut path = ".".to_owned();
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, options, |reader| {
        // A document without content is null.
        serde_path_to_error::deserialize::<_, Option<T>>(reader).map_err(|error| {
            path = error.path().to_string();
            error.into_inner()
        })
    });
    read.map(Option::unwrap_or_default).map_err(|error| {
        let message = error.without_snippet().to_string();
        let Some(location) = error.location() else { return Mistake { line: None, path, message } };
        let position = format!(" at line {}, column {}", location.line(), location.column());
        let message = message.strip_suffix(&position).unwrap_or(&message).to_owned();
        Mistake { line: usize::try_from(location.line()).ok(), path, message }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serde_says_about_a_member_is_said_in_our_words() {
        for (message, ours) in [
            ("missing field `length`", "`length` is missing"),
            ("duplicate field `seed`", "`seed` is given twice: expected it once"),
            (
                "unknown field `tunels`, expected one of `rtt`, `tunnels`",
                "unknown member `tunels`: did you mean `tunnels`?",
            ),
            (
                "unknown field `tunels`, expected one of rtt, tunnels",
                "unknown member `tunels`: did you mean `tunnels`?",
            ),
            (
                "unknown field `wind`, expected one of rtt, loss",
                "unknown member `wind`: expected one of `rtt`, `loss`",
            ),
            (
                "unknown field `wind`, expected `rtt` or `loss`",
                "unknown member `wind`: expected one of `rtt`, `loss`",
            ),
        ] {
            assert_eq!(in_our_words(message).as_deref(), Some(ours));
        }
        assert_eq!(in_our_words("invalid type: string \"x\""), None);
    }
}
