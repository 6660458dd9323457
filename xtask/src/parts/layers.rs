//! The layers of the tokio adapter: its modules import downwards only, and no files of one layer import each other in a
//! circle. `cargo modules --acyclic` finds circles as well, but it takes minutes to build and knows no layers. What tasks
//! share comes from `wire::sync`, so that `tests/schedules` can choose who goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::job::{Job, Stop, failed};

/// The folders of `std-adapter/src` and the folders that each may import from, besides itself.
const LAYERS: [(&str, &[&str]); 7] = [
    ("test_util", &[]),
    ("wire", &[]),
    ("carrier", &["wire", "test_util"]),
    ("web", &["wire", "carrier", "test_util"]),
    ("session", &["wire", "carrier", "web"]),
    ("server", &["wire", "carrier", "web", "session", "test_util"]),
    ("client", &["wire", "carrier", "web", "session", "test_util"]),
];

/// What only `wire::sync` may name, because the scheduler of `tests/schedules` sees it nowhere else, and what begins with `ATOMIC`.
const UNSEEN: [&str; 8] = [
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::Condvar",
    "tokio::spawn",
    "tokio::task::spawn",
    "tokio::sync::Mutex",
    "tokio::sync::RwLock",
    "tokio::sync::Notify",
];
const ATOMIC: &str = "std::sync::atomic::Atomic";

/// Files by the path of their module, such as `server::accept`.
type Files = BTreeMap<String, String>;

pub(crate) fn check(job: &mut Job<'_>) -> Result<(), Stop> {
    let mut files = Files::new();
    let source = job.workspace.root.join("std-adapter/src");
    read(&source, "", &mut files).map_err(|error| Stop::Failed(format!("{}: {error}", source.display())))?;
    files.remove("lib");
    // Documentation only.
    files.remove("guide");
    let mut found = upward(&files);
    found.extend(circles(&files));
    found.extend(unseen(&files));
    if found.is_empty() { Ok(()) } else { failed(found.join("\n")) }
}

fn read(folder: &Path, module: &str, files: &mut Files) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let module = if module.is_empty() { name.into_owned() } else { format!("{module}::{name}") };
        if path.is_dir() {
            read(&path, &module, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.insert(module, std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// The imports that the layers do not allow, as sentences.
fn upward(files: &Files) -> Vec<String> {
    let mut found = Vec::new();
    for (module, text) in files {
        let layer = first(module);
        let allowed = LAYERS.iter().find(|(name, _)| *name == layer).map(|(_, allowed)| *allowed);
        for (line, path) in imports(module, text) {
            let other = first(&path);
            let rule = match allowed {
                Some(allowed) if other == layer || allowed.contains(&other) => continue,
                Some([]) => format!("{layer} imports from no other layer"),
                Some(allowed) => format!("{layer} imports only from {} and itself", allowed.join(", ")),
                None => "every module belongs to a layer".to_owned(),
            };
            let file = module.replace("::", "/");
            found.push(format!(
                "std-adapter/src/{file}.rs:{line}: the layer {layer} imports `{path}` of {other}: {rule}"
            ));
        }
    }
    found
}

/// What tasks share past `wire::sync`, as sentences. The in-memory network may, because it acts as a kernel does.
fn unseen(files: &Files) -> Vec<String> {
    let mut found = Vec::new();
    for (module, text) in files {
        if module == "wire::sync" || first(module) == "test_util" || module.ends_with("::tests") {
            continue;
        }
        for (line, path) in named(text, &[("std::", "std"), ("core::", "std"), ("tokio::", "tokio")]) {
            if UNSEEN.contains(&&*path) || path.starts_with(ATOMIC) {
                let file = module.replace("::", "/");
                found
                    .push(format!("std-adapter/src/{file}.rs:{line}: `{path}`: expected that of wire::sync"));
            }
        }
    }
    found
}

/// The files that import each other in a circle, as sentences.
fn circles(files: &Files) -> Vec<String> {
    let edges: BTreeMap<&str, BTreeSet<&str>> = files
        .iter()
        .map(|(module, text)| {
            let imported = imports(module, text).into_iter().filter_map(|(_, path)| file_of(&path, files));
            (module.as_str(), imported.filter(|other| other != module).collect())
        })
        .collect();
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        edges.keys().map(|module| (*module, reachable(module, &edges))).collect();
    let mut found = Vec::new();
    for (module, imported) in &edges {
        let leads_back = |other: &&&str| reached[**other].contains(module);
        let others: Vec<&str> = imported.iter().filter(leads_back).copied().collect();
        if !others.is_empty() {
            let (file, others) = (module.replace("::", "/"), others.join(", "));
            found.push(format!("std-adapter/src/{file}.rs is part of a circle through {others}"));
        }
    }
    found
}

fn reachable<'f>(from: &str, edges: &BTreeMap<&'f str, BTreeSet<&'f str>>) -> BTreeSet<&'f str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = edges[from].iter().copied().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(edges[module].iter().copied());
        }
    }
    reached
}

/// The file that the item of this path is in.
fn file_of<'f>(path: &str, files: &'f Files) -> Option<&'f str> {
    let mut module = path;
    loop {
        if let Some((found, _)) = files.get_key_value(module) {
            return Some(found);
        }
        module = module.rsplit_once("::")?.0;
    }
}

fn first(path: &str) -> &str {
    path.split("::").next().unwrap_or_default()
}

/// What the code of `module` names of its own crate, with the lines: paths that begin with `crate::`, `super::` or
/// `self::`.
fn imports(module: &str, text: &str) -> Vec<(usize, String)> {
    named(text, &[("crate::", ""), ("self::", module), ("super::", parent(module))])
}

/// The paths in code that have one of these beginnings, each with what it stands for, and with the lines. Groups are taken
/// apart. Comments and unit tests do not count.
fn named(text: &str, beginnings: &[(&str, &str)]) -> Vec<(usize, String)> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: Vec<&str> = code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let mut found = Vec::new();
    for (index, line) in code.iter().enumerate() {
        for (start, base) in beginnings {
            for (at, _) in line.match_indices(start) {
                let is_whole =
                    !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == ':');
                let rest = [&line[at + start.len()..], "\n", &code[index + 1..].join("\n")].concat();
                if is_whole {
                    let base = if base.is_empty() { String::new() } else { format!("{base}::") };
                    let mut paths = Vec::new();
                    tree(&base, &mut rest.chars().peekable(), &mut paths);
                    found.extend(paths.into_iter().map(|path| (index + 1, path)));
                }
            }
        }
    }
    found
}

fn parent(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(parent, _)| parent)
}

/// Takes one path or group apart, such as `a::{b, c::{self, d}}` behind `base`.
fn tree(base: &str, rest: &mut core::iter::Peekable<core::str::Chars<'_>>, paths: &mut Vec<String>) {
    let mut path = base.to_owned();
    while let Some(next) = rest.next_if(|next| next.is_alphanumeric() || "_:".contains(*next)) {
        path.push(next);
    }
    if rest.next_if_eq(&'{').is_none() {
        return paths.push(path.trim_end_matches("::self").to_owned());
    }
    loop {
        while rest.next_if(|next| next.is_whitespace() || *next == ',').is_some() {}
        match rest.peek() {
            Some(next) if next.is_alphanumeric() || "_{".contains(*next) => tree(&path, rest, paths),
            _ => {
                rest.next();
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(texts: &[(&str, &str)]) -> Files {
        texts.iter().map(|(module, text)| ((*module).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn an_import_that_goes_up_or_to_the_other_role_is_found_with_its_file_line_layers_and_rule() {
        let down = ("session::task", "use crate::wire::clock::Clock;\n// crate::server::Server\n");
        assert_eq!(upward(&files(&[down])), [""; 0]);
        let up = ("wire::clock", "//! Time.\n\nuse crate::{\n    session::task,\n};\n");
        assert_eq!(
            upward(&files(&[up])),
            [
                "std-adapter/src/wire/clock.rs:3: the layer wire imports `session::task` of session: wire imports from no other layer"
            ]
        );
        let role = ("client::dial", "fn f() { crate::server::accept::run() }");
        assert!(upward(&files(&[role]))[0].contains("client/dial.rs:1: the layer client imports"));
        assert!(upward(&files(&[("server", "use super::client::Client;")]))[0].contains("of client"));
        assert!(upward(&files(&[("web::cors", "use crate::Server;")]))[0].contains("`Server`"));
        assert!(upward(&files(&[("stray", "use crate::wire::clock;")]))[0].contains("belongs to a layer"));
    }

    #[test]
    fn what_tasks_share_past_the_scheduler_is_found() {
        let text = "use core::sync::atomic::{AtomicBool, Ordering};\nuse std::sync::{Arc, Mutex};\n\
            fn f() { tokio::spawn(g()) }\n// std::sync::RwLock\n#[cfg(test)]\nmod tests {\nuse std::sync::Mutex;";
        let found = unseen(&files(&[("web::limits", text)]));
        assert_eq!(
            found,
            [(1, "std::sync::atomic::AtomicBool"), (2, "std::sync::Mutex"), (3, "tokio::spawn")].map(
                |(line, path)| format!(
                    "std-adapter/src/web/limits.rs:{line}: `{path}`: expected that of wire::sync"
                )
            )
        );
        for module in ["wire::sync", "test_util::pipe", "session::mailbox::tests"] {
            assert_eq!(unseen(&files(&[(module, text)])), [""; 0]);
        }
        let seen = "use std::sync::{Arc, PoisonError};\nuse crate::wire::sync::{AtomicBool, Mutex};";
        assert_eq!(unseen(&files(&[("web::limits", seen)])), [""; 0]);
    }

    #[test]
    fn groups_are_taken_apart() {
        let text = "use crate::a::{self, b::{C, d::E}, F};\nuse self::g::H;\n#[cfg(test)]\nmod tests {\n    use crate::x;";
        let paths: Vec<_> = imports("m", text).into_iter().map(|(_, path)| path).collect();
        assert_eq!(paths, ["a", "a::b::C", "a::b::d::E", "a::F", "m::g::H"]);
    }

    #[test]
    fn a_circle_of_files_is_found() {
        let line =
            [("wire::a", "use crate::wire::b::B;"), ("wire::b", "use crate::wire::c;"), ("wire::c", "")];
        assert!(circles(&files(&line)).is_empty());
        let circle = [line[0], line[1], ("wire::c", "use super::a::A;")];
        let found = circles(&files(&circle));
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], "std-adapter/src/wire/a.rs is part of a circle through wire::b");
    }
}
