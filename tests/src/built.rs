//! What cargo has built, for tests that start it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's own tool, `eio`, which `cargo build --package eio-cli` makes.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn eio() -> PathBuf {
    // Where cargo puts it: beside this program, or one folder above a test.
    let here = std::env::current_exe().expect("this program has a name");
    let eio = here.ancestors().skip(1).take(2).map(|folder| folder.join("eio")).find(|eio| eio.exists());
    eio.expect("`cargo build --package eio-cli` has built it")
}

/// An example of the workspace, which `cargo build --example` makes.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn example(name: &str) -> PathBuf {
    let here = std::env::current_exe().expect("this program has a name");
    let examples = here.ancestors().skip(1).take(2).map(|folder| folder.join("examples").join(name));
    let example = examples.into_iter().find(|example| example.exists());
    example.unwrap_or_else(|| panic!("`cargo build --example {name}` has built it"))
}

/// A server of `tests/nest`, which `npm run build` makes.
#[must_use]
pub fn nest(script: &str) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("nest");
    // NestJS wants a newer node than some systems have; then one is installed beside it.
    let own = folder.join("node_modules/node/bin/node");
    let mut command = Command::new(if own.exists() { own } else { "node".into() });
    command.arg(folder.join(format!("dist/{script}.js")));
    command
}

/// The program around socketioxide: `EIO_INTEROP_SOCKETIOXIDE`, or where `cargo xtask` makes it.
#[must_use]
pub fn socketioxide() -> PathBuf {
    std::env::var_os("EIO_INTEROP_SOCKETIOXIDE").map_or_else(
        || target_directory("Cargo.toml").join("peers/debug/interop-socketioxide"),
        PathBuf::from,
    )
}

/// Where cargo puts what it builds from a manifest, which is named from the root. Cargo is asked, because
/// `CARGO_TARGET_DIR` and configuration files move it.
///
/// # Panics
/// When cargo does not say.
#[must_use]
pub fn target_directory(manifest: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path", manifest])
        .current_dir(root)
        .output()
        .expect("cargo can be asked");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    metadata["target_directory"].as_str().expect("cargo says where its target directory is").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_in_the_target_directory() {
        let here = std::env::current_exe().unwrap();
        assert!(here.starts_with(target_directory("Cargo.toml")), "{}", here.display());
    }
}
