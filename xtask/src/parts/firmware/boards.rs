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
    Board { name: "pico2-w5500", target: ARMV8_M, always: false },
    Board { name: "pico2-w", target: ARMV8_M, always: false },
    Board { name: "esp32-c6", target: ESP32_C6, always: false },
    Board { name: "nrf9160", target: ARMV8_M, always: false },
];

/// The processor of the RP2350 and of the nRF9160.
pub(crate) const ARMV8_M: &str = "thumbv8m.main-none-eabihf";
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
        let size = |job: &mut Job<'_>| {
            let images = Programs::build(job, &mut cargo("build", ""))?;
            sections(job, images.path(board.name)?)
        };
        let (flash, ram) = size(job)?;
        copy.pin_a_key()?;
        let (tls_flash, tls_ram) = size(job)?;
        job.note(format!(
            "{}: {flash} bytes of flash and {ram} of RAM, over TLS {tls_flash} and {tls_ram}, stack aside",
            board.name
        ));
    }
    Ok(())
}

/// The line of a board's `main.rs` that an author changes, up to the server.
const SERVER: &str = "const SERVER: Server = ";
/// A server over TLS, as `main.rs` says.
const PINNED: &str =
    r#"Server::engineio("https://192.168.1.2:3000").pinned(include_bytes!("../server-public.der"));"#;
/// The generator of the curve P-256, in DER: a public key whose private half is 1.
const KEY: &[u8; 91] =
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04\
      \x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96\
      \x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5";

/// A copy of a board's folder, until it is dropped.
struct Copy(PathBuf);

impl Copy {
    fn of(job: &Job<'_>, board: &Board) -> Result<Self, Stop> {
        let example = job.workspace.root.join("embedded-example");
        let copy = Self(std::env::temp_dir().join(format!("eio-{}-{}", std::process::id(), board.name)));
        let broken = |error| copy.broken(&error);
        copy_folder(&example.join("boards").join(board.name), &copy.0).map_err(broken)?;
        // The versions with which it is known to build. Cargo leaves out those that it does not need.
        std::fs::copy(example.join("Cargo.lock"), copy.0.join("Cargo.lock")).map_err(broken)?;
        Ok(copy)
    }

    /// Changes the server to one over TLS, as an author does.
    fn pin_a_key(&self) -> Result<(), Stop> {
        let broken = |error| self.broken(&error);
        let path = self.0.join("src/main.rs");
        let text = std::fs::read_to_string(&path).map_err(broken)?;
        let text =
            pinned(&text).ok_or_else(|| Stop::Failed(format!("no `{SERVER}` in {}", path.display())))?;
        std::fs::write(&path, text).map_err(broken)?;
        std::fs::write(self.0.join("server-public.der"), KEY).map_err(broken)
    }

    fn broken(&self, error: &std::io::Error) -> Stop {
        Stop::Failed(format!("{}: {error}", self.0.display()))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // What is left behind is small, and in the folder for what is temporary.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The text of a board's `main.rs` with a server over TLS.
fn pinned(text: &str) -> Option<String> {
    let (before, rest) = text.split_once(SERVER)?;
    let (_, after) = rest.split_once('\n')?;
    Some(format!("{before}{SERVER}{PINNED}\n{after}"))
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
    fn every_board_says_how_its_server_is_pinned() {
        for Board { name, .. } in BOARDS {
            let text = read(&format!("embedded-example/boards/{name}/src/main.rs"));
            assert!(text.contains(r#".pinned(include_bytes!("../server-public.der"))"#), "{name}");
            assert!(pinned(&text).is_some_and(|pinned| pinned.contains(PINNED)), "{name}");
        }
    }

    #[test]
    fn what_boards_have_in_common_is_the_same_text() {
        let every: Vec<_> = BOARDS.iter().map(|board| board.name).collect();
        for (file, boards) in [
            ("src/session.rs", every.as_slice()),
            ("src/main.rs", &["esp32-c3", "esp32-c6"]),
            ("src/panic.rs", &["nrf9160", "nucleo-h743zi", "pico-w5500", "pico2-w", "pico2-w5500"]),
            ("build.rs", &["esp32-c3", "esp32-c6"]),
            ("build.rs", &["nrf9160", "nucleo-h743zi", "pico2-w", "pico2-w5500"]),
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
