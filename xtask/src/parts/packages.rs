//! What goes out to users, and what comes in with dependencies.

use crate::job::{Job, Stop, command};

/// Packs the packages that are published, and checks what is in them. Cargo can do both in one step, but builds a
/// package against a copy of the others' packages that it keeps by their versions, and so against an older state of the
/// same version.
///
/// Uncommitted changes are allowed: a change is tested before it is committed.
pub(crate) fn pack(job: &mut Job<'_>) -> Result<(), Stop> {
    let packages = job.workspace.packages.iter().filter(|package| package.is_published);
    let names: Vec<_> = packages.map(|package| package.name.as_str()).collect();
    job.cargo(&format!("package --no-verify --allow-dirty --package {}", names.join(" --package ")))?;

    let folder = job.workspace.target.join("package/unpacked");
    let broken = |error: std::io::Error| Stop::Failed(format!("{}: {error}", folder.display()));
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(broken)?;
    }
    std::fs::create_dir_all(&folder).map_err(broken)?;
    // A workspace of what would be downloaded, in which each finds the others, and the versions that are locked here.
    let workspace = "[workspace]\nresolver = \"3\"\nmembers = [\"eio-*\"]\n\n[patch.crates-io]";
    let mut manifest = vec![workspace.to_owned()];
    for name in names {
        let unpacked = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
        let archive = folder.with_file_name(format!("{unpacked}.crate"));
        job.run(command("tar -xzf").arg(archive).arg("-C").arg(&folder))?;
        manifest.push(format!("{name} = {{ path = \"{unpacked}\" }}"));
    }
    // With the profiles and in the folder of our own workspace, other people's crates have been checked already.
    let root = &job.workspace.root;
    let ours = std::fs::read_to_string(root.join("Cargo.toml")).map_err(broken)?;
    manifest.extend(ours.find("[profile.").map(|profiles| ours[profiles..].to_owned()));
    std::fs::write(folder.join("Cargo.toml"), manifest.join("\n")).map_err(broken)?;
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).map_err(broken)?;
    let mut check = command("cargo check --workspace --manifest-path");
    check.arg(folder.join("Cargo.toml")).arg("--target-dir").arg(&job.workspace.target);
    job.run(&mut check).map(drop)
}

/// Needs a database from the network, and is not run where there is none.
pub(crate) fn advisories(job: &mut Job<'_>) -> Result<(), Stop> {
    let (status, printed) = job.outcome(&mut command("cargo deny check advisories"))?;
    if status.success() {
        Ok(())
    } else if printed.contains("failed to fetch advisory database") {
        Err(Stop::NotRun("the database of advisories could not be fetched".to_owned()))
    } else {
        Err(Stop::Failed("a dependency has a known vulnerability".to_owned()))
    }
}
