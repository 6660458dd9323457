//! Writes `docs/dependencies.md` from the list in `tests/data/dependencies.toml` and from what cargo says, or compares.
//!
//! The list is what people have judged: who keeps a package, what it does for us, why it is trusted. A package, a keeper, a build
//! script or a macro that it does not know fails a test until somebody has judged it.
//!
//! ```sh
//! cargo run --package eio-dependencies           # writes the page anew
//! cargo run --package eio-dependencies -- check  # fails if the list or the page differs
//! ```
#![forbid(unsafe_code)]

mod cargo;
#[path = "../../public-api/src/committed.rs"]
mod committed;
#[path = "../../public-api/src/difference.rs"]
mod difference;
mod list;
mod page;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::ExitCode;
use std::thread;

use crate::cargo::{Id, Known, Published, Way};
use crate::committed::Handle;
use crate::list::List;
use crate::page::Page;

/// What people write, from the workspace's root.
const LIST: &str = "tests/data/dependencies.toml";
/// What this program writes.
const PAGE: &str = "docs/dependencies.md";
/// The command that does.
const RENEW: &str = "cargo run --package eio-dependencies";

fn main() -> ExitCode {
    committed::main(RENEW, run)
}

/// Judges what users build by the list, and hands the page and its path to `handle`.
fn run(handle: Handle<'_>) -> Result<(), String> {
    let known = Known::read()?;
    let path = known.root.join(LIST);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let list = List::read(&text).map_err(|error| format!("{LIST}: {error}"))?;
    let ways = ways(&known.published)?;
    let built: BTreeSet<Id> = ways.values().flat_map(BTreeMap::keys).cloned().collect();
    let differences = list.differences(&known, &built);
    if !differences.is_empty() {
        return Err(format!("{LIST} is not about what users build:\n{}", differences.join("\n")));
    }
    let mut sizes = BTreeMap::new();
    for id in &built {
        if let Some(package) = known.packages.get(id) {
            let broken = |error| format!("{}: {error}", package.folder.display());
            sizes.insert(id, sources::count(&package.folder).map_err(broken)?);
        }
    }
    let page = Page { list: &list, known: &known, ways: &ways, sizes: &sizes };
    handle(&known.root.join(PAGE), &page.text())
}

/// What each crate builds. Cargo answers dozens of questions for it, so the crates are asked about beside one another.
fn ways(published: &[Published]) -> Result<BTreeMap<&str, BTreeMap<Id, Way>>, String> {
    thread::scope(|scope| {
        let asked: Vec<_> =
            published.iter().map(|this| (this.name.as_str(), scope.spawn(|| this.ways()))).collect();
        asked
            .into_iter()
            .map(|(name, asked)| {
                let ways = asked.join().map_err(|_| format!("asking about {name} panicked"))??;
                Ok((name, ways))
            })
            .collect()
    })
}
