//! One linked image, and what its symbols say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{CRATES, is_ours};
use crate::job::{Job, Stop, command, failed};
use crate::llvm::{self, Sections};
use crate::programs::Programs;

pub(super) const PACKAGE: &str = "eio-panic-free";

/// The optimisation levels that firmware is built with.
pub(super) const OPT_LEVELS: [&str; 3] = ["s", "z", "3"];

/// An image that was built.
pub(super) struct Image {
    file: PathBuf,
    /// For whom, and how, for people.
    label: String,
}

impl Image {
    /// Builds the image around a list of entry points.
    pub(super) fn build(job: &mut Job<'_>, target: &str, level: &str, list: &Path) -> Result<Self, Stop> {
        let programs = Programs::build(job, &mut building(target, level, list))?;
        // The next build of the same target writes over it.
        let built = programs.path(PACKAGE)?;
        let stem = list.file_stem().unwrap_or_default().to_string_lossy();
        let file = job.workspace.target.join("xtask").join(format!("{target}-{level}-{stem}.elf"));
        match std::fs::copy(built, &file) {
            Ok(_) => Ok(Self { file, label: format!("{target}, opt-level {level}") }),
            Err(error) => failed(format!("{}: {error}", built.display())),
        }
    }

    /// What the compiler says about an image that it may refuse.
    pub(super) fn attempt(job: &mut Job<'_>, target: &str, level: &str, list: &Path) -> Result<String, Stop> {
        job.outcome(&mut building(target, level, list)).map(|(_, printed)| printed)
    }

    /// Whether any part of the panic machinery is in the image.
    pub(super) fn holds_panics(&self, job: &mut Job<'_>) -> Result<bool, Stop> {
        let symbols = llvm::run(job, "llvm-nm", &["--demangle", "--format=just-symbols"], &self.file)?;
        // An image without symbols would prove anything.
        for (package, path) in CRATES {
            if !symbols.lines().any(|symbol| symbol.contains(path)) {
                return failed(format!("no function of {package} is in the image ({})", self.label));
            }
        }
        Ok(symbols.lines().any(is_panic))
    }

    /// The names of everything that a WebAssembly module needs of its host.
    pub(super) fn imports(&self, job: &mut Job<'_>) -> Result<Vec<String>, Stop> {
        let sections = llvm::run(job, "llvm-objdump", &["--section-headers"], &self.file)?;
        match has_import_section(&sections) {
            None => return failed(format!("llvm-objdump lists no code ({})", self.label)),
            Some(false) => return Ok(Vec::new()),
            Some(true) => {}
        }
        let names = ["--undefined-only", "--format=just-symbols"];
        let functions = llvm::run(job, "llvm-nm", &names, &self.file)?;
        let functions: Vec<_> = functions.lines().map(str::to_owned).collect();
        // Memories, tables and globals have no symbols.
        Ok(if functions.is_empty() { vec!["something without a symbol".to_owned()] } else { functions })
    }

    /// The functions of the crates from which the panic machinery can be reached, each with a shortest way there. At
    /// least one, if the image holds panics.
    pub(super) fn ways_to_panic(&self, job: &mut Job<'_>) -> Result<BTreeMap<String, String>, Stop> {
        let arguments = ["--disassemble", "--demangle", "--no-show-raw-insn"];
        let listing = llvm::run(job, "llvm-objdump", &arguments, &self.file)?;
        let mut ways = ways(&mentions(&listing));
        if ways.is_empty() {
            ways.insert(String::new(), "by a way that the disassembly does not show".to_owned());
        }
        Ok(ways.into_iter().map(|(function, way)| (function, format!("{way} ({})", self.label))).collect())
    }

    /// How many bytes of flash it takes: code, constants and the initial values of variables.
    pub(super) fn flash(&self, job: &mut Job<'_>) -> Result<u64, Stop> {
        Sections::of(job, &self.file).map(|sections| sections.text + sections.data)
    }
}

/// A build as firmware does it, whatever the workspace's profile `dist` says; symbols stay.
fn building(target: &str, level: &str, list: &Path) -> Command {
    let profile = [
        ("OPT_LEVEL", level),
        ("LTO", "fat"),
        ("CODEGEN_UNITS", "1"),
        ("PANIC", "abort"),
        ("DEBUG", "false"),
        ("STRIP", "none"),
        ("DEBUG_ASSERTIONS", "false"),
        ("OVERFLOW_CHECKS", "false"),
    ];
    let mut build = command(&format!("cargo build --profile dist --package {PACKAGE} --target {target}"));
    build.envs(profile.map(|(name, value)| (format!("CARGO_PROFILE_DIST_{name}"), value)));
    build.env("EIO_ENTRY_POINTS", list);
    // Names without hashes, types included. Only what is built for the target is named so.
    build.env("RUSTFLAGS", "-Csymbol-mangling-version=v0");
    build
}

/// Whether a WebAssembly module's sections include imports. `None` if the list has no code, and so is not such a list.
fn has_import_section(sections: &str) -> Option<bool> {
    // `  1 IMPORT          00000016 00000079 `
    let has = |name| sections.lines().any(|line| line.split_whitespace().nth(1) == Some(name));
    has("CODE").then(|| has("IMPORT"))
}

/// Whether a symbol belongs to the panic machinery: whatever panics goes through `core::panicking` to the handler.
fn is_panic(symbol: &str) -> bool {
    symbol.contains("core::panicking::") || symbol.contains("rust_begin_unwind")
}

/// Which functions a disassembled function mentions, by the names of both.
fn mentions(listing: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut mentions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut current = "";
    for line in listing.lines() {
        let Some((name, after)) = line.split_once(" <").and_then(|(_, rest)| rest.rsplit_once('>')) else {
            continue;
        };
        if after == ":" {
            // `00020110 <core::panicking::panic_fmt>:` opens a function.
            current = name;
        } else {
            // `   20114:  bl  0x20110 <core::panicking::panic_fmt>` mentions one, perhaps its middle: `<it+0x12>`.
            let whole = name.split_once("+0x").map_or(name, |(whole, _)| whole);
            mentions.entry(current).or_default().insert(whole);
        }
    }
    mentions
}

/// From the panic machinery upwards, level by level, to the first functions of the crates.
fn ways(mentions: &BTreeMap<&str, BTreeSet<&str>>) -> BTreeMap<String, String> {
    let panics: BTreeSet<&str> = mentions.values().flatten().copied().filter(|name| is_panic(name)).collect();
    let mut open: VecDeque<Vec<&str>> = panics.into_iter().map(|name| vec![name]).collect();
    let mut seen = BTreeSet::new();
    let mut ways = BTreeMap::new();
    while let Some(way) = open.pop_front() {
        let Some(&top) = way.first() else { continue };
        let callers =
            mentions.iter().filter(|(_, mentioned)| mentioned.contains(top)).map(|(caller, _)| *caller);
        for caller in callers.filter(|caller| !is_panic(caller) && seen.insert(*caller)) {
            let longer: Vec<&str> = [&[caller], way.as_slice()].concat();
            if is_ours(caller) {
                ways.insert(caller.to_owned(), longer.join(" -> "));
            } else {
                open.push_back(longer);
            }
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "\
00020100 <core::panicking::panic_fmt>:
   20100:      	b	0x20100 <core::panicking::panic_fmt>

00020110 <core::slice::index::slice_index_fail>:
   20114:      	bl	0x20100 <core::panicking::panic_fmt> @ imm = #-0x10

00020120 <<eio_core::packet::Packet>::decode>:
   20122:      	beq	0x20126 <<eio_core::packet::Packet>::decode+0x6>
   20124:      	bl	0x20110 <core::slice::index::slice_index_fail>

00020130 <eio_core::time::Instant::as_micros>:
   20132:      	bx	lr
";

    #[test]
    fn a_way_to_panic_names_the_function_of_the_core_and_what_lies_between() {
        assert_eq!(
            ways(&mentions(LISTING)).into_values().collect::<Vec<_>>(),
            [
                "<eio_core::packet::Packet>::decode -> core::slice::index::slice_index_fail -> core::panicking::panic_fmt"
            ]
        );
    }

    #[test]
    fn imports_are_seen_in_the_list_of_sections() {
        let sections =
            "Sections:\nIdx Name            Size     VMA      Type\n  0 TYPE   0000006d 0000000a \n";
        assert_eq!(has_import_section(sections), None);
        let without = format!("{sections}  8 CODE            0000989a 00000132 TEXT\n");
        assert_eq!(has_import_section(&without), Some(false));
        assert_eq!(has_import_section(&format!("{without}  1 IMPORT 00000016 00000079 \n")), Some(true));
    }

    #[test]
    fn the_handler_and_all_of_core_panicking_are_panics() {
        assert!(is_panic("core::panicking::panic_bounds_check"));
        assert!(is_panic("__rustc[7f2aa9c1]::rust_begin_unwind"));
        assert!(!is_panic("eio_core::packet::v4::decode"));
    }
}
