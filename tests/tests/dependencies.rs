//! What the libraries bring into the programs that depend on them.

use std::process::Command;

/// The packages that a program with this one builds, each with its version and the features that are on.
fn built_with(package: &str, features: &[&str]) -> String {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--package", package, "--edges", "normal,build"])
        .args(features)
        .args(["--prefix", "none", "--format", "{p} {f}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    String::from_utf8(tree.stdout).unwrap()
}

/// What the compiler says about the client for boards with these features, when it has none of its dependencies.
fn complaints_about_the_board_client(features: &[&str]) -> String {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../embassy-adapter/src/lib.rs");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "-o", "-", source]);
    for feature in features {
        rustc.args(["--cfg", &format!("feature=\"{feature}\"")]);
    }
    String::from_utf8(rustc.output().unwrap().stderr).unwrap()
}

#[test]
fn a_board_without_a_version_of_ip_is_told_so_by_us_and_builds_no_network_stack() {
    const SENTENCE: &str =
        "`embassy-net` of eio-embassy needs a version of IP: enable its feature `proto-ipv4`";
    assert!(complaints_about_the_board_client(&["embassy-net"]).contains(SENTENCE));
    assert!(!complaints_about_the_board_client(&["embassy-net", "proto-ipv6"]).contains(SENTENCE));
    let built = |features: &[&str]| built_with("eio-embassy", &["--features", &features.join(",")]);
    assert!(!built(&["embassy-net"]).contains("smoltcp "), "its own errors would come first");
    let (v4, v6) = (built(&["proto-ipv4"]), built(&["proto-ipv6"]));
    let stack = |tree: &str| tree.lines().find(|line| line.starts_with("smoltcp ")).unwrap().to_owned();
    assert!(stack(&v4).contains("proto-ipv4") && !stack(&v4).contains("proto-ipv6"), "{v4}");
    assert!(stack(&v6).contains("proto-ipv6") && !stack(&v6).contains("proto-ipv4"), "{v6}");
    assert!(!stack(&v4).contains("medium-") && !stack(&v6).contains("medium-"), "the application chooses");
}

#[test]
fn no_library_changes_what_json_means_in_the_program_that_uses_it() {
    for package in
        ["eio-cluster", "eio-core", "eio-embassy", "eio-legacy", "eio-sim", "eio-socketio", "eio-tokio"]
    {
        let tree = built_with(package, &["--all-features"]);
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
