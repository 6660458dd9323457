//! How much of the published crates the tests of the host reach.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::job::{Job, Stop, command};
use crate::parts::host::WORKSPACE_FEATURES;

/// Runs the tests of the workspace with instrumented code, and says for each published crate which part of its lines they
/// reach. Code that only other programs reach counts as not reached: boards, peers and networks have parts of their own.
pub(crate) fn measure(job: &mut Job<'_>) -> Result<(), Stop> {
    let report = job.workspace.target.join("xtask/coverage.json");
    let mut test = command(&format!(
        "cargo llvm-cov test --workspace --features {WORKSPACE_FEATURES} --no-fail-fast --json --summary-only --output-path"
    ));
    // Not in the folder of all builds, which it cleans.
    let folder = job.workspace.target.join("coverage");
    job.run(test.arg(&report).env("CARGO_TARGET_DIR", folder).env("CARGO_PROFILE_DEV_DEBUG", "0"))?;
    let written = std::fs::read_to_string(&report);
    let report: Value = written.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    for (name, folder) in sources(job) {
        let (reached, all) = lines(&report, &folder);
        if all == 0 {
            return Err(Stop::Failed(format!("{name}: no line of {} was measured", folder.display())));
        }
        let thousandths = reached * 1_000 / all;
        job.note(format!("{name}: {}.{} % of {all} lines", thousandths / 10, thousandths % 10));
    }
    Ok(())
}

/// The names of the published crates, and where their sources are.
fn sources(job: &Job<'_>) -> Vec<(String, PathBuf)> {
    let published = job.workspace.packages.iter().filter(|package| package.is_published);
    published.map(|package| (package.name.clone(), package.folder.join("src"))).collect()
}

/// How many lines below a folder the tests reach, and how many there are. Unit tests beside the code are among them.
fn lines(report: &Value, folder: &Path) -> (u64, u64) {
    let files = report["data"][0]["files"].as_array().into_iter().flatten();
    let ours = files
        .filter(|file| file["filename"].as_str().is_some_and(|name| Path::new(name).starts_with(folder)));
    ours.fold((0, 0), |(reached, all), file| {
        let lines = &file["summary"]["lines"];
        let count = |key: &str| lines[key].as_u64().unwrap_or_default();
        (reached + count("covered"), all + count("count"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_lines_of_a_crate_are_those_of_its_files() {
        let file = |name: &str, covered: u64, count: u64| json!({ "filename": name, "summary": { "lines": { "covered": covered, "count": count } } });
        let files = [
            file("/a/core/src/x.rs", 3, 4),
            file("/a/core/src/y/z.rs", 1, 1),
            file("/a/core/tests/x.rs", 9, 9),
        ];
        let report = json!({ "data": [{ "files": files }] });
        assert_eq!(lines(&report, Path::new("/a/core/src")), (4, 5));
        assert_eq!(lines(&report, Path::new("/a/sim/src")), (0, 0));
    }
}
