//! The proof that core and legacy can neither panic nor allocate, and that as WebAssembly they import nothing.
//!
//! [`public_api`] reads the compiler's own list of the crates' public functions; from it a list of entry points is
//! written, which the image in `tests/panic-free` takes the addresses of; [`image`] builds it and reads the symbols
//! that the linker kept. Before an image is believed, the same image with a panic planted in it must be caught, one
//! with an allocation must not link, and an import must be found in the module that has one.

mod image;
mod public_api;

use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::path::PathBuf;

use self::image::{Image, OPT_LEVELS, PACKAGE};
use self::public_api::EntryPoint;
use crate::job::{Job, Stop, command, failed};
use crate::part::{BARE_METAL, WEB_ASSEMBLY};

/// The crates whose public functions the image holds, by the names that paths begin with.
const CRATES: [(&str, &str); 2] = [("eio-core", "eio_core::"), ("eio-legacy", "eio_legacy::")];

/// Where generic functions are instantiated by hand.
const BY_HAND: &str = "tests/panic-free/src/by_hand.rs";

/// A function that panics for some arguments.
const PLANTED_PANIC: &str = "fn planted(bytes: &[u8], at: usize) -> u8 { bytes[at] }";
/// A function that the host of a WebAssembly module would have to bring.
const PLANTED_IMPORT: &str = "unsafe extern \"C\" { fn planted(); }";
/// The line in the list for both.
const KEEP_PLANTED: &str = "    keep(planted as *const ());\n";
/// Whoever names this crate needs an allocator.
const PLANTED_ALLOCATION: &str = "extern crate alloc;";
/// What the compiler says when there is none.
const NO_ALLOCATOR: &str = "no global memory allocator found";

pub(crate) fn prove(job: &mut Job<'_>) -> Result<(), Stop> {
    let lists = Lists::write(job)?;
    let target = BARE_METAL[0];
    let mut lint =
        command(&format!("cargo clippy --no-deps --package {PACKAGE} --target {target} -- --deny warnings"));
    job.run(lint.env("EIO_ENTRY_POINTS", &lists.whole))?;

    let planted = Image::build(job, WEB_ASSEMBLY, OPT_LEVELS[0], &lists.with_import)?;
    if planted.imports(job)?.is_empty() {
        return failed("a planted import was not noticed");
    }
    let mut reaching = BTreeMap::new();
    for target in BARE_METAL.into_iter().chain([WEB_ASSEMBLY]) {
        reaching.extend(ways_to_panic(job, target, &lists)?);
        let refusal = Image::attempt(job, target, OPT_LEVELS[0], &lists.with_allocation)?;
        if !refusal.contains(NO_ALLOCATOR) {
            return failed(format!("an image that wants to allocate was not refused ({target})"));
        }
    }
    for way in reaching.values() {
        job.note(format!("may panic: {way}"));
    }
    if reaching.is_empty() { Ok(()) } else { failed("the panic machinery can be reached, by the ways above") }
}

/// Builds the image at the levels that firmware is built with, and returns the functions that may panic, each with a way
/// there. For WebAssembly, one level has to do, and the module may need nothing of its host.
fn ways_to_panic(job: &mut Job<'_>, target: &str, lists: &Lists) -> Result<BTreeMap<String, String>, Stop> {
    let mut reaching = BTreeMap::new();
    let mut sizes = Vec::new();
    let levels = if target == WEB_ASSEMBLY { &OPT_LEVELS[..1] } else { &OPT_LEVELS };
    for level in levels {
        let planted = Image::build(job, target, level, &lists.with_panic)?;
        if !planted.holds_panics(job)? {
            return failed(format!("a planted panic was not noticed ({target}, opt-level {level})"));
        }
        let image = Image::build(job, target, level, &lists.whole)?;
        if image.holds_panics(job)? {
            for (function, way) in image.ways_to_panic(job)? {
                reaching.entry(function).or_insert(way);
            }
        }
        if target == WEB_ASSEMBLY {
            let imports = image.imports(job)?;
            if !imports.is_empty() {
                return failed(format!(
                    "the WebAssembly module imports {}: expected nothing",
                    imports.join(", ")
                ));
            }
        }
        sizes.push(format!("{} bytes at opt-level {level}", image.flash(job)?));
    }
    job.note(format!("{target}: {}", sizes.join(", ")));
    Ok(reaching)
}

/// The lists of entry points that the image is built around.
struct Lists {
    whole: PathBuf,
    with_panic: PathBuf,
    with_allocation: PathBuf,
    with_import: PathBuf,
}

impl Lists {
    fn write(job: &mut Job<'_>) -> Result<Self, Stop> {
        let entry_points = entry_points(job)?;
        let write =
            |name: &str, planted, keep| write_list(job, &format!("{name}.rs"), &entry_points, planted, keep);
        Ok(Self {
            whole: write("entry_points", "", "")?,
            with_panic: write("entry_points_and_a_panic", PLANTED_PANIC, KEEP_PLANTED)?,
            with_allocation: write("entry_points_and_an_allocation", PLANTED_ALLOCATION, "")?,
            with_import: write("entry_points_and_an_import", PLANTED_IMPORT, KEEP_PLANTED)?,
        })
    }
}

/// Every public function. Fails naming those that the image would not hold.
fn entry_points(job: &mut Job<'_>) -> Result<Vec<EntryPoint>, Stop> {
    let mut entry_points = Vec::new();
    for (package, _) in CRATES {
        let of_package = public_api::of(job, package)?;
        job.note(format!("{} public functions of {package}, each kept whole", of_package.len()));
        entry_points.extend(of_package);
    }
    let path = job.workspace.root.join(BY_HAND);
    let by_hand =
        std::fs::read_to_string(path).map_err(|error| Stop::Failed(format!("{BY_HAND}: {error}")))?;
    let differences = differences(&entry_points, &names_in(&by_hand));
    if differences.is_empty() {
        return Ok(entry_points);
    }
    for difference in differences {
        job.note(difference);
    }
    failed(format!("{BY_HAND} does not hold what it should, which is named above"))
}

/// Whether a symbol or a path is one of the crates' own.
fn is_ours(name: &str) -> bool {
    CRATES.iter().any(|(_, path)| name.contains(path))
}

/// The names that the table of functions instantiated by hand claims.
fn names_in(source: &str) -> Vec<&str> {
    source.split('"').skip(1).step_by(2).filter(|text| is_ours(text)).collect()
}

fn differences(entry_points: &[EntryPoint], by_hand: &[&str]) -> Vec<String> {
    let wanted = || entry_points.iter().filter(|entry_point| entry_point.address.is_none());
    let missing = wanted()
        .filter(|entry_point| !by_hand.contains(&entry_point.name.as_str()))
        .map(|entry_point| format!("{} is generic and must be instantiated there", entry_point.name));
    let needless = by_hand
        .iter()
        .filter(|name| !wanted().any(|entry_point| entry_point.name == **name))
        .map(|name| format!("{name} stands there, but is no generic public function"));
    missing.chain(needless).collect()
}

/// Writes the list of entry points that the image includes, and what was planted into it.
fn write_list(
    job: &Job<'_>,
    file: &str,
    entry_points: &[EntryPoint],
    planted: &str,
    keep_planted: &str,
) -> Result<PathBuf, Stop> {
    let path = job.workspace.target.join("xtask").join(file);
    let mut text = format!(
        "{planted}\n\
         #[allow(clippy::too_many_lines, elided_lifetimes_in_paths, reason = \"written for the linker, not for readers\")]\n\
         fn keep_entry_points() {{\n    \
             #[allow(unused_imports, reason = \"traits that Rust does not bring into scope by itself\")]\n    \
             use core::{{borrow::Borrow, error::Error, ops::Deref, str::FromStr}};\n"
    );
    for address in entry_points.iter().filter_map(|entry_point| entry_point.address.as_deref()) {
        let _ = writeln!(text, "    keep({address} as *const ());");
    }
    text.push_str(keep_planted);
    text.push_str("}\n");
    // A file that is the same keeps its date, and what was built from it.
    if std::fs::read_to_string(&path).ok().as_deref() != Some(&text) {
        std::fs::write(&path, text).map_err(|error| Stop::Failed(format!("{}: {error}", path.display())))?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(name: &str) -> EntryPoint {
        EntryPoint { name: name.to_owned(), address: None }
    }

    #[test]
    fn a_generic_function_that_nobody_instantiates_is_named() {
        let differences =
            differences(&[generic("eio_core::a::f"), generic("eio_core::a::g")], &["eio_core::a::g"]);
        assert_eq!(differences, ["eio_core::a::f is generic and must be instantiated there"]);
    }

    #[test]
    fn an_instance_of_nothing_is_named() {
        let differences = differences(&[], &["eio_core::a::gone"]);
        assert_eq!(differences, ["eio_core::a::gone stands there, but is no generic public function"]);
    }

    #[test]
    fn names_are_read_from_the_table() {
        let source = "&[(\"eio_core::a::f\", f::<u8> as *const ()), (\n    \"eio_legacy::B::g\",\n    g as *const ())]";
        assert_eq!(names_in(source), ["eio_core::a::f", "eio_legacy::B::g"]);
    }
}
