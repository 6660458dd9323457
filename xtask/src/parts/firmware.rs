//! The firmware: on the emulated board, on real boards, and how large it is.

pub(crate) mod boards;
mod budget;
mod demonstration;

use std::path::{Path, PathBuf};
use std::process::Command;

use self::budget::Budget;
pub(crate) use self::demonstration::{prepare, show};
use crate::job::{Job, Stop, command, failed};
use crate::llvm::Sections;
use crate::parts::host::{build_tool, run_tests, workspace_test};
use crate::parts::nest;
use crate::programs::Programs;

/// The firmware's own workspace: its targets are none of the host's.
const MANIFEST: &str = "embedded-example/Cargo.toml";
/// Of the emulated board.
pub(crate) const TARGET: &str = "thumbv7em-none-eabihf";
/// What brings the tests on the emulated board.
const FEATURE: &str = "eio-tests/firmware";

/// The tick rates of embassy-time that the client's time is tested at.
const TICK_RATES: [&str; 4] = ["10", "1_000", "32_768", "1_000_000"];

/// The client's time on the host, built once for each tick rate. Clippy is the compiler of the tests themselves.
pub(crate) fn at_each_tick_rate(job: &mut Job<'_>) -> Result<(), Stop> {
    for rate in TICK_RATES {
        let arguments = format!("--manifest-path {MANIFEST} --package ticks --lib --features tick-hz-{rate}");
        let mut test = command(&format!("cargo test {arguments}"));
        test.env("CARGO_PROFILE_DEV_OPT_LEVEL", "0").env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
        run_tests(job, &mut test)?;
    }
    Ok(())
}

/// Everything on the emulated board.
pub(crate) fn on_qemu(job: &mut Job<'_>) -> Result<(), Stop> {
    nest::prepare(job)?;
    let images = build_image(job)?;
    // Our own server is one of those that the board meets.
    build_tool(job)?;
    let mut test = workspace_test(&format!("--features {FEATURE} --test firmware -- --test-threads=4"));
    run_tests(job, test.env(IMAGES, images)).map(drop)
}

/// The format, and the lints for all that the emulated board runs.
pub(crate) fn lint(job: &mut Job<'_>) -> Result<(), Stop> {
    job.cargo(&format!("fmt --manifest-path {MANIFEST} --all --check"))?;
    let packages = "--package app --package qemu-mps2 --package sizes -- --deny warnings";
    job.run(&mut cargo("clippy", TARGET, packages)).map(drop)
}

/// What the client costs: images that differ in one thing each, held against a budget.
pub(crate) fn sizes(job: &mut Job<'_>) -> Result<(), Stop> {
    let budget = Budget(job.read_json("embedded-example/sizes/budget.json")?);
    let (mut over, mut stack) = (Vec::new(), (0, 0));
    let all: &[&str] = &["client", "connector", "socketio"];
    // The image over TLS is built alone: the others are those of an application whose client has no such feature.
    for (feature, only, log, names) in [
        ("defmt", "", "info", all),
        ("", "", "off", all),
        ("small", "--bin client", "off", &["client"]),
        ("tls", "--bin tls", "off", &["tls"]),
    ] {
        let arguments = format!("--release --package sizes --features={feature} {only}");
        let images = Programs::build(job, cargo("build", TARGET, &arguments).env("DEFMT_LOG", log))?;
        if only.is_empty() {
            stack = sections(job, images.path("stack")?)?;
        }
        for &image in names {
            let (flash, ram) = sections(job, images.path(image)?)?;
            let name = match feature {
                "defmt" => format!("{image} with {feature}"),
                "small" => format!("{feature} {image}"),
                _ => image.to_owned(),
            };
            let flash = flash.saturating_sub(stack.0);
            let ram = ram.saturating_sub(stack.1 + budget.lent(&name));
            let line = budget.compare(&name, flash, ram)?;
            job.note(line.text);
            over.extend(line.over);
        }
    }
    if over.is_empty() { Ok(()) } else { failed(over.join("; ")) }
}

/// Tells the tests and the demonstration in which folder the board's images are.
const IMAGES: &str = "EIO_IMAGES";

/// The images that the tests and the demonstration run: their folder.
fn build_image(job: &mut Job<'_>) -> Result<PathBuf, Stop> {
    let mut build = cargo("build", TARGET, "--release --package qemu-mps2");
    let images = Programs::build(job, build.env("DEFMT_LOG", "info"))?;
    Ok(images.path("firmware")?.parent().unwrap_or(Path::new("")).to_owned())
}

/// Cargo for the firmware's workspace. Nobody debugs what is built here, so it has no debug information, which takes
/// time to make and no flash.
fn cargo(verb: &str, target: &str, arguments: &str) -> Command {
    let mut cargo =
        command(&format!("cargo {verb} --manifest-path {MANIFEST} --target {target} {arguments}"));
    cargo.env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    cargo
}

/// How many bytes of flash and of RAM an image takes.
fn sections(job: &mut Job<'_>, image: &Path) -> Result<(u64, u64), Stop> {
    let Sections { text, data, bss } = Sections::of(job, image)?;
    Ok((text + data, data + bss))
}
