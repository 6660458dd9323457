//! The lists of clauses, as their files say it.

use std::fs;
use std::path::Path;

use serde::Deserialize;

/// A specification: where its text is, and what it demands.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Specification {
    /// The name of its file without `.toml`.
    #[serde(skip)]
    pub name: String,
    /// What it is called.
    pub title: String,
    /// Where its text is.
    pub source: String,
    /// Which edition of the text the list was compared with.
    pub edition: String,
    /// Which words are counted.
    pub words: Words,
    /// How often the whole text says MUST and its like, so that no section can be left out.
    pub must: usize,
    /// How often it says SHOULD and its like.
    pub should: usize,
    /// What a reader of the tables has to know, as Markdown.
    #[serde(default)]
    pub remark: String,
    /// The sections that demand something, in their order.
    #[serde(rename = "section")]
    pub sections: Vec<Section>,
}

/// The words that demand something in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Words {
    /// MUST, SHALL, REQUIRED, SHOULD and RECOMMENDED, in capital letters.
    Capitals,
    /// "must" and "should", in capital letters or not.
    AnyCase,
    /// The cases of a suite of tests: lines that begin with `it(`.
    Cases,
}

/// A section of a specification.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Section {
    /// Its number, such as `5.1`. Where a text does not number its headings, it is what their order gives.
    pub number: String,
    /// Its heading.
    pub title: String,
    /// How often it says MUST, MUST NOT, SHALL, SHALL NOT or REQUIRED.
    #[serde(default)]
    pub must: usize,
    /// How often it says SHOULD, SHOULD NOT or RECOMMENDED.
    #[serde(default)]
    pub should: usize,
    /// What it demands.
    #[serde(default, rename = "clause")]
    pub clauses: Vec<Clause>,
}

/// One demand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Clause {
    /// The number of the section and a letter, such as `5.1-a`.
    pub id: String,
    /// How strong it is.
    pub level: Level,
    /// For how many of the section's words of this level it stands: one, unless it says something else.
    pub counts: Option<usize>,
    /// Who has to do it.
    #[serde(default)]
    pub binds: Option<Binds>,
    /// What it is, in words of our own.
    #[serde(default)]
    pub says: String,
    /// The tests that hold it, each as `path: name, name`.
    #[serde(default)]
    pub held: Vec<String>,
    /// Why it does not concern eio.
    pub not_applicable: Option<String>,
    /// Why it is kept although no test can show it.
    pub untested: Option<String>,
    /// What eio does instead, and why.
    pub differs: Option<String>,
    /// The clause that says the same.
    pub repeats: Option<String>,
}

/// How strong a clause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Level {
    /// MUST, MUST NOT, SHALL, SHALL NOT, REQUIRED.
    Must,
    /// SHOULD, SHOULD NOT, RECOMMENDED.
    Should,
    /// The text says how it is, without such a word.
    Plain,
}

/// Who has to keep a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Binds {
    /// Clients.
    Client,
    /// Servers.
    Server,
    /// Clients and servers.
    Both,
    /// Proxies, authors of extensions and other third parties.
    Others,
}

/// How eio stands to a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing<'a> {
    /// Tests hold it.
    Held,
    /// It does not concern eio, for this reason.
    NotApplicable(&'a str),
    /// No test can show that it is kept. It is, for this reason.
    Untested(&'a str),
    /// eio does something else, for this reason.
    Differs(&'a str),
    /// Another clause says the same.
    Repeats(&'a str),
}

impl Clause {
    /// Returns how eio stands to this clause, or `None` if it says nothing or several things.
    #[must_use]
    pub fn standing(&self) -> Option<Standing<'_>> {
        let reasons = [
            self.not_applicable.as_deref().map(Standing::NotApplicable),
            self.untested.as_deref().map(Standing::Untested),
            self.differs.as_deref().map(Standing::Differs),
            self.repeats.as_deref().map(Standing::Repeats),
        ];
        let mut reasons = reasons.into_iter().flatten();
        match (reasons.next(), reasons.next(), self.held.is_empty()) {
            (None, None, false) => Some(Standing::Held),
            (Some(standing @ Standing::Differs(_)), None, _) | (Some(standing), None, true) => Some(standing),
            _ => None,
        }
    }

    /// Returns for how many words of its section it stands.
    #[must_use]
    pub fn words(&self) -> usize {
        self.counts.unwrap_or(usize::from(self.level != Level::Plain))
    }

    /// Returns the paths of its tests, each with a name.
    pub fn tests(&self) -> impl Iterator<Item = (&str, &str)> {
        self.held.iter().flat_map(|line| {
            let (path, names) = line.split_once(": ").unwrap_or((line, ""));
            names.split(", ").map(move |name| (path, name))
        })
    }
}

/// Reads the lists in this folder, in the order of their names.
///
/// # Errors
/// Returns a sentence with the path of the file that cannot be read, and why.
pub fn read(folder: &Path) -> Result<Vec<Specification>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let mut read: Specification =
                toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
            read.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Ok(read)
        })
        .collect()
}
