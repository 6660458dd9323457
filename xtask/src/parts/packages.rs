//! What goes out to users.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::job::{Job, Stop, command};
use crate::parts::reproducible;

/// Packs the packages that are published, twice, and checks what is in them. Cargo can do both in one step, but builds a
/// package against a copy of the others' packages that it keeps by their versions, and so against an older state of the
/// same version.
///
/// Uncommitted changes are allowed: a change is tested before it is committed.
pub(crate) fn pack(job: &mut Job<'_>) -> Result<(), Stop> {
    let packages = job.workspace.packages.iter().filter(|package| package.is_published);
    let names: Vec<_> = packages.map(|package| package.name.as_str()).collect();
    let folder = job.workspace.target.join("package/unpacked");
    // A workspace of what would be downloaded, in which each finds the others, and the versions that are locked here.
    let workspace = "[workspace]\nresolver = \"3\"\nmembers = [\"eio-*\"]\n\n[patch.crates-io]";
    let mut manifest = vec![workspace.to_owned()];
    let unpacked = unpack(job, &names, &folder)?;
    for (name, unpacked) in unpacked {
        manifest.push(format!("{name} = {{ path = \"{}\" }}", unpacked.display()));
    }
    // With the profiles and in the folder of our own workspace, other people's crates have been checked already.
    let broken = |error: io::Error| Stop::Failed(format!("{}: {error}", folder.display()));
    let root = &job.workspace.root;
    let ours = fs::read_to_string(root.join("Cargo.toml")).map_err(broken)?;
    manifest.extend(ours.find("[profile.").map(|profiles| ours[profiles..].to_owned()));
    fs::write(folder.join("Cargo.toml"), manifest.join("\n")).map_err(broken)?;
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).map_err(broken)?;
    let mut check = command("cargo check --workspace --manifest-path");
    check.arg(folder.join("Cargo.toml")).arg("--target-dir").arg(&job.workspace.target);
    job.run(&mut check)?;
    // Last, because a folder that is no repository keeps only this from running.
    reproducible::same_packages(job, &names)
}

/// Packs packages and unpacks them into a folder of its own, as a download would. Returns where each of them is.
pub(super) fn unpack<'n>(
    job: &mut Job<'_>,
    names: &[&'n str],
    folder: &Path,
) -> Result<Vec<(&'n str, PathBuf)>, Stop> {
    job.cargo(&format!("package --no-verify --allow-dirty --package {}", names.join(" --package ")))?;
    let broken = |error: io::Error| Stop::Failed(format!("{}: {error}", folder.display()));
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(broken)?;
    }
    fs::create_dir_all(folder).map_err(broken)?;
    let mut unpacked = Vec::new();
    for name in names {
        let package = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
        let archive = job.workspace.target.join("package").join(format!("{package}.crate"));
        // With the time of today: all files of a package have one of 2006, which cargo takes for older than its last build.
        job.run(command("tar -xzmf").arg(archive).arg("-C").arg(folder))?;
        unpacked.push((*name, folder.join(package)));
    }
    Ok(unpacked)
}
