//! The real boards, whose folders authors copy: each must build alone, from the packages that are published.

use std::path::{Path, PathBuf};

use super::{TARGET, sections};
use crate::job::{Job, Stop, command};
use crate::need::Need;
use crate::parts::packages;
use crate::programs::Programs;

/// A real board. Its folder is in `embedded-example/boards`.
pub(crate) struct Board {
    pub(crate) name: &'static str,
    target: &'static str,
    /// Whether every change builds it. The others are as much work again, and differ less.
    always: bool,
}

pub(crate) const BOARDS: &[Board] = &[
    Board { name: "pico-w5500", target: "thumbv6m-none-eabi", always: true },
    Board { name: "nucleo-h743zi", target: TARGET, always: true },
    Board { name: "esp32-c3", target: "riscv32imc-unknown-none-elf", always: true },
    Board { name: "pico2-w5500", target: RP2350, always: false },
    Board { name: "pico2-w", target: RP2350, always: false },
    Board { name: "esp32-c6", target: ESP32_C6, always: false },
];

/// The processor of the RP2350.
pub(crate) const RP2350: &str = "thumbv8m.main-none-eabihf";
/// The processor of the ESP32-C6.
pub(crate) const ESP32_C6: &str = "riscv32imac-unknown-none-elf";

impl Board {
    /// What building it takes.
    pub(crate) fn needs(&self) -> [Need; 3] {
        [Need::Target(self.target), Need::Component("clippy"), Need::Component("llvm-tools")]
    }
}

/// The boards that every change builds.
pub(crate) fn usual(job: &mut Job<'_>) -> Result<(), Stop> {
    build(job, BOARDS.iter().filter(|board| board.always))
}

/// The other boards.
pub(crate) fn others(job: &mut Job<'_>) -> Result<(), Stop> {
    build(job, BOARDS.iter().filter(|board| !board.always))
}

/// Lints, builds and links copies of boards' folders outside of every workspace, and says how large the images are.
pub(crate) fn build<'b>(job: &mut Job<'_>, boards: impl IntoIterator<Item = &'b Board>) -> Result<(), Stop> {
    let folder = job.workspace.target.join("package/for-boards");
    let packed = packages::unpack(job, &["eio-core", "eio-embassy"], &folder)?;
    // That of the example's workspace, whose other images need the same macros.
    let target = job.workspace.root.join("embedded-example/target");
    let patches: Vec<_> = packed
        .iter()
        .map(|(name, folder)| format!("patch.crates-io.{name}.path=\"{}\"", folder.display()))
        .collect();
    for board in boards {
        let copy = Copy::of(job, board)?;
        let cargo = |verb: &str, arguments: &str| {
            let mut cargo = command(&format!("cargo {verb} --release"));
            cargo.current_dir(&copy.0).env("CARGO_TARGET_DIR", &target);
            // Nobody debugs what is built here, so it has no debug information, which takes time to make and no flash.
            cargo.env("CARGO_PROFILE_RELEASE_DEBUG", "false");
            for patch in &patches {
                cargo.args(["--config", patch]);
            }
            cargo.args(arguments.split_whitespace());
            cargo
        };
        // Clippy as the compiler of the board's own crate. `cargo clippy` would check all dependencies once more, which
        // takes minutes, because it uses nothing that a build has made; this takes what the build uses, and a link more.
        job.run(cargo("rustc", "-- --deny warnings").env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver"))?;
        let images = Programs::build(job, &mut cargo("build", ""))?;
        let (flash, ram) = sections(job, images.path(board.name)?)?;
        job.note(format!("{}: {flash} bytes of flash, {ram} of RAM, stack aside", board.name));
    }
    Ok(())
}

/// A copy of a board's folder, until it is dropped.
struct Copy(PathBuf);

impl Copy {
    fn of(job: &Job<'_>, board: &Board) -> Result<Self, Stop> {
        let example = job.workspace.root.join("embedded-example");
        let copy = std::env::temp_dir().join(format!("eio-{}-{}", std::process::id(), board.name));
        let broken = |error: std::io::Error| Stop::Failed(format!("{}: {error}", copy.display()));
        copy_folder(&example.join("boards").join(board.name), &copy).map_err(broken)?;
        // The versions with which it is known to build. Cargo leaves out those that it does not need.
        std::fs::copy(example.join("Cargo.lock"), copy.join("Cargo.lock")).map_err(broken)?;
        Ok(Self(copy))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // What is left behind is small, and in the folder for what is temporary.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Copies a folder with all that is in it.
fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_folder(&from, &to)?;
        } else {
            std::fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::workspace::Workspace;

    fn read(path: &str) -> String {
        let root = Workspace::load().unwrap().root;
        std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    #[test]
    fn every_boards_folder_is_built_and_in_the_quick_start() {
        let root = Workspace::load().unwrap().root;
        let folders = std::fs::read_dir(root.join("embedded-example/boards")).unwrap();
        let folders: BTreeSet<_> =
            folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(folders, BOARDS.iter().map(|board| board.name.to_owned()).collect());
        let page = read("docs/firmware.md");
        for Board { name, target, .. } in BOARDS {
            let line = page.lines().find(|line| line.starts_with(&format!("| `{name}` ")));
            assert!(line.is_some_and(|line| line.contains(target)), "{name}: {line:?}");
        }
    }

    #[test]
    fn what_boards_have_in_common_is_the_same_text() {
        let every: Vec<_> = BOARDS.iter().map(|board| board.name).collect();
        for (file, boards) in [
            ("src/session.rs", every.as_slice()),
            ("src/main.rs", &["esp32-c3", "esp32-c6"]),
            ("build.rs", &["esp32-c3", "esp32-c6"]),
            ("build.rs", &["nucleo-h743zi", "pico2-w", "pico2-w5500"]),
            ("memory.x", &["pico2-w", "pico2-w5500"]),
        ] {
            let text = |board| read(&format!("embedded-example/boards/{board}/{file}"));
            let first = text(boards[0]);
            for board in boards {
                assert_eq!(text(board), first, "{file} of {board} differs from that of {}", boards[0]);
            }
        }
    }
}
