//! The page that lists the diagnoses.

/// What the page says about one diagnosis.
pub(crate) struct Row {
    pub(crate) codes: Vec<i64>,
    pub(crate) means: String,
    pub(crate) advice: String,
}

/// Reads the row of a diagnosis.
///
/// # Panics
/// Panics if there is none.
pub(crate) fn row(name: &str) -> Row {
    let page = include_str!("../../../docs/diagnoses.md");
    let start = format!("| `{name}` | ");
    let row = page.lines().find_map(|line| line.strip_prefix(&start));
    let row = row.unwrap_or_else(|| panic!("docs/diagnoses.md has no row for {name}"));
    let cells: Vec<_> = row.split(" | ").collect();
    let [codes, means, advice, _tests] = cells[..] else { panic!("four more cells: {row}") };
    Row {
        codes: codes.split(", ").map(|code| code.parse().expect("an exit code")).collect(),
        means: means.to_owned(),
        advice: if advice == "–" { String::new() } else { advice.to_owned() },
    }
}

/// Whether `printed` is `template` with a value in the place of each name in braces.
pub(crate) fn fits(printed: &str, template: &str) -> bool {
    let mut pieces = template.split('{').map(|piece| piece.split_once('}').map_or(piece, |(_, after)| after));
    let Some(mut rest) = printed.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    for piece in pieces {
        // A value and what follows it up to the next one. No value has two words in a row that a text has.
        let Some(at) = rest.rfind(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.is_empty()
}
