//! Whether the texts of the specifications have the words that the lists of demands state.

use std::fs;
use std::io;
use std::path::Path;

use crate::job::{Job, Stop, command, failed};

/// The lists: a file for each text.
const LISTS: &str = "tests/conformance/data";

/// Fetches each text, and counts its words anew. A text that cannot be fetched is named.
pub(crate) fn compare(job: &mut Job<'_>) -> Result<(), Stop> {
    let folder = job.workspace.target.join("specifications");
    let broken = |error: io::Error| Stop::Failed(format!("{LISTS}: {error}"));
    fs::create_dir_all(&folder).map_err(broken)?;
    let lists = sources(&job.workspace.root.join(LISTS)).map_err(broken)?;
    let (mut same, mut differing, mut missing) = (0, Vec::new(), Vec::new());
    for (list, source) in lists {
        let text = folder.join(format!("{list}.txt"));
        let mut fetch = command("curl --fail --silent --show-error --location --max-time 60 --output");
        if !job.outcome(fetch.arg(&text).arg(as_text(&source)))?.0.success() {
            missing.push(list);
            continue;
        }
        let mut compare = command("cargo run --quiet --package eio-conformance -- compare");
        if job.outcome(compare.arg(&list).arg(&text))?.0.success() {
            same += 1;
        } else {
            differing.push(list);
        }
    }
    job.note(format!("{same} texts have the words that their lists state"));
    if !differing.is_empty() {
        return failed(format!("the text has other words than its list: {}", differing.join(", ")));
    }
    match missing.as_slice() {
        [] if same == 0 => failed(format!("{LISTS} has no list")),
        [] => Ok(()),
        missing => Err(Stop::NotRun(format!("no text could be fetched for {}", missing.join(", ")))),
    }
}

/// The names of the lists, each with the address of its text.
fn sources(folder: &Path) -> io::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let text = fs::read_to_string(&path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let source = source(&text).ok_or_else(|| io::Error::other(format!("{name} names no source")))?;
        found.push((name, source.to_owned()));
    }
    found.sort();
    Ok(found)
}

fn source(list: &str) -> Option<&str> {
    list.lines().find_map(|line| line.strip_prefix("source = \"")?.strip_suffix('"'))
}

/// Where the file itself is, of which GitHub shows a page.
fn as_text(source: &str) -> String {
    let file = source.strip_prefix("https://github.com/").and_then(|file| file.split_once("/blob/"));
    match file {
        Some((repository, path)) => format!("https://raw.githubusercontent.com/{repository}/{path}"),
        None => source.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    #[test]
    fn each_list_names_where_its_text_is() {
        let sources = sources(&Workspace::load().unwrap().root.join(LISTS)).unwrap();
        assert!(sources.len() >= 7 && sources.iter().all(|(_, source)| source.starts_with("https://")));
        let (_, rfc) = sources.iter().find(|(name, _)| name == "rfc-6455").unwrap();
        assert_eq!(as_text(rfc), *rfc);
    }

    #[test]
    fn a_page_of_github_stands_for_its_file() {
        let page = "https://github.com/a/b/blob/0123/c/d.md";
        assert_eq!(as_text(page), "https://raw.githubusercontent.com/a/b/0123/c/d.md");
    }
}
