//! What the libraries bring into the programs that depend on them.

use std::process::Command;

/// The packages that a program with this one builds, each with its version and the features that are on.
fn built_with(package: &str) -> String {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--package", package, "--all-features", "--edges", "normal,build"])
        .args(["--prefix", "none", "--format", "{p} {f}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    String::from_utf8(tree.stdout).unwrap()
}

#[test]
fn no_library_changes_what_json_means_in_the_program_that_uses_it() {
    for package in ["eio-core", "eio-embassy", "eio-legacy", "eio-sim", "eio-socketio", "eio-tokio"] {
        let tree = built_with(package);
        assert!(tree.contains(package), "{package} is not in {tree}");
        let json: Vec<_> = tree.lines().filter(|line| line.starts_with("serde_json ")).collect();
        for feature in ["arbitrary_precision", "float_roundtrip", "preserve_order", "unbounded_depth"] {
            assert!(
                !json.iter().any(|line| line.contains(feature)),
                "{package} turns {feature} on: {json:?}"
            );
        }
    }
}
