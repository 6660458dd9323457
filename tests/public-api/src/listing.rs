//! One crate's public API as text: a line for each item.

use std::collections::BTreeSet;
use std::path::Path;

/// Crates whose types a signature may show although the crate that shows them does not re-export them.
///
/// The first three are the compiler's. An application on tokio or axum names that crate itself, for its features and macros.
/// defmt and serde appear only as traits, implemented on request. `embedded_io_async` re-exports what it shows of
/// `embedded_io`.
const KNOWN: [&str; 9] =
    ["alloc", "core", "std", "tokio", "axum", "axum_core", "defmt", "serde_core", "embedded_io"];

/// The public API of one crate.
pub(crate) struct Listing {
    /// A line for each item.
    pub(crate) text: String,
    /// Crates whose types the signatures show, and which users cannot reach through this one.
    pub(crate) hidden_crates: BTreeSet<String>,
}

/// Traits that the compiler implements by itself.
const AUTO_TRAITS: [&str; 8] =
    ["Freeze", "RefUnwindSafe", "Send", "StructuralPartialEq", "Sync", "UnsafeUnpin", "Unpin", "UnwindSafe"];

/// Reads rustdoc's JSON about a package.
///
/// Blanket implementations are left out: they follow from the items, and would make up most of the text.
pub(crate) fn of(json: &Path, package: &str) -> Result<Listing, String> {
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .build()
        .map_err(|error| format!("{}: {error}", json.display()))?;
    let lines = api.items().map(ToString::to_string);
    let crate_name = package.replace('-', "_");
    let text = without_what_traits_imply(lines, &crate_name);
    let hidden_crates = hidden_crates(&text, &crate_name);
    Ok(Listing { text, hidden_crates })
}

/// Leaves out the functions of foreign traits, because the line of the implementation implies them. Of the traits that
/// the compiler implements, only a missing `Send` or `Sync` is shown.
///
/// A type's own functions are sorted: in which of its blocks, and in which file, a function stands is not part of the API.
fn without_what_traits_imply(lines: impl Iterator<Item = String>, crate_name: &str) -> String {
    let own = format!("{crate_name}::");
    let mut kept = Vec::new();
    let mut functions = Vec::new();
    // How the functions begin that the last implementation of a foreign trait brings.
    let mut implied = None;
    for line in lines.filter(|line| !is_usual(line)) {
        if line.starts_with("impl") {
            let parts = implementation(&line);
            let foreign = parts.filter(|(interface, _)| !interface.starts_with(&own));
            implied = foreign.map(|(_, subject)| format!(" fn {subject}::"));
            if parts.is_none() {
                continue;
            }
        }
        if line.contains(" fn ") {
            if !implied.as_ref().is_some_and(|beginning| line.contains(beginning)) {
                functions.push(line);
            }
            continue;
        }
        kept.extend(sorted(&mut functions));
        kept.push(line);
    }
    kept.extend(sorted(&mut functions));
    kept.join("\n") + "\n"
}

/// Takes the functions, in the order of their names.
fn sorted(functions: &mut Vec<String>) -> Vec<String> {
    let name = |function: &String| function.split_once(" fn ").map(|(_, name)| name.to_owned());
    functions.sort_by_key(name);
    core::mem::take(functions)
}

/// Whether the line says that the compiler implements a trait, or that it does not implement one that nobody asks for.
fn is_usual(line: &str) -> bool {
    let Some((interface, _)) = implementation(line) else { return false };
    let name = interface.rsplit("::").next().unwrap_or_default();
    let is_missed = interface.starts_with('!') && matches!(name, "Send" | "Sync");
    AUTO_TRAITS.contains(&name) && !is_missed
}

/// The trait and the type in the line of an implementation.
fn implementation(line: &str) -> Option<(&str, &str)> {
    let (head, subject) = line.strip_prefix("impl")?.split_once(" for ")?;
    let interface = head.rsplit_once("> ").map_or(head, |(_, interface)| interface).trim();
    Some((interface, subject.split_once(" where ").map_or(subject, |(subject, _)| subject)))
}

fn hidden_crates(text: &str, crate_name: &str) -> BTreeSet<String> {
    let prefix = format!("pub use {crate_name}::");
    let reexported: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix(&prefix))
        // Our crates are re-exported under short names.
        .map(|name| match name {
            "cluster" => "eio_cluster",
            "core" => "eio_core",
            "engine" => "eio_tokio",
            name => name,
        })
        .collect();
    first_segments(text)
        .filter(|name| *name != crate_name && !KNOWN.contains(name) && !reexported.contains(name))
        .map(str::to_owned)
        .collect()
}

/// The first words of all paths that can be crates. `Self` and the names of type parameters begin with a capital letter.
fn first_segments(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|sign: char| !(sign.is_alphanumeric() || matches!(sign, '_' | ':')));
    words
        .filter_map(|word| word.split_once("::"))
        .map(|(first, _)| first)
        .filter(|first| first.starts_with(char::is_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shortened(lines: &[&str]) -> String {
        without_what_traits_imply(lines.iter().map(|line| (*line).to_owned()), "eio_some")
    }

    #[test]
    fn functions_of_foreign_traits_are_left_out_and_their_types_are_kept() {
        let listed = [
            "pub struct eio_some::A",
            "impl eio_some::A",
            "pub fn eio_some::A::own(&self)",
            "impl<'a> core::clone::Clone for eio_some::A<'a>",
            "pub fn eio_some::A<'a>::clone(&self) -> Self",
            "impl core::marker::StructuralPartialEq for eio_some::A",
            "impl<T> tower_service::Service<T> for eio_some::A",
            "pub type eio_some::A::Response = T",
            "pub fn eio_some::A::call(&mut self)",
            "impl eio_some::Listener for eio_some::A",
            "pub fn eio_some::A::accept(&self)",
            "pub fn eio_some::free()",
        ];
        let kept: Vec<&str> = listed
            .into_iter()
            .filter(|line| *line != "impl eio_some::A")
            .filter(|line| {
                !["::clone(", "::StructuralPartialEq", "::call("].iter().any(|word| line.contains(word))
            })
            .collect();
        assert_eq!(shortened(&listed), kept.join("\n") + "\n");
    }

    #[test]
    fn moving_a_function_to_another_block_changes_nothing() {
        let moved = [
            "impl eio_some::A",
            "pub fn eio_some::A::b(&self)",
            "impl eio_some::A",
            "pub const fn eio_some::A::a(&self)",
        ];
        assert_eq!(shortened(&moved), "pub const fn eio_some::A::a(&self)\npub fn eio_some::A::b(&self)\n");
    }

    #[test]
    fn a_type_that_cannot_be_sent_is_shown_and_one_that_can_is_not() {
        let listed = [
            "impl core::marker::Send for eio_some::A",
            "impl !core::marker::Sync for eio_some::A",
            "impl !core::marker::Unpin for eio_some::A",
        ];
        assert_eq!(shortened(&listed), "impl !core::marker::Sync for eio_some::A\n");
    }

    #[test]
    fn a_free_function_behind_an_implementation_is_kept() {
        let text =
            shortened(&["impl core::marker::Copy for eio_some::A where A: Copy", "pub fn eio_some::f()"]);
        assert!(text.contains("eio_some::f()"), "{text}");
    }

    #[test]
    fn a_foreign_type_in_a_signature_needs_a_re_export_of_its_crate() {
        let text =
            "pub fn eio_some::f(http::Uri, &eio_core::Instant) -> core::option::Option<bytes::Bytes>\n";
        let hidden = |re_exports: &str| hidden_crates(&format!("{re_exports}{text}"), "eio_some");
        assert!(hidden("").iter().eq(["bytes", "eio_core", "http"]));
        assert!(hidden("pub use eio_some::core\npub use eio_some::bytes\n").iter().eq(["http"]));
    }
}
