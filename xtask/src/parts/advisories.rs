//! Whether a dependency has a known vulnerability, by the database of <https://rustsec.org>.

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};

use crate::job::{Job, Stop, command};
use crate::parts::deny;
use crate::workspace::cargo_home;

/// Where cargo-deny fetches the database from.
const DATABASE: &str = "https://github.com/RustSec/advisory-db";
/// How long the database's host may take to answer. A machine without a way to it waits no longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Fetches the database and checks with it. Where it cannot be fetched, checks with the one that was fetched last and says how
/// old that is. Where there is none either, the part is not run.
pub(crate) fn check(job: &mut Job<'_>) -> Result<(), Stop> {
    // Asks before cargo-deny does, which would wait for minutes, and leave half a database behind if it was ended.
    let mut ask = command("git ls-remote --quiet");
    ask.args([DATABASE, "HEAD"]).env("GIT_TERMINAL_PROMPT", "0");
    let (ended, _) = job.outcome_within(&mut ask, PATIENCE)?;
    let answers = ended.is_ok_and(|status| status.success());
    if answers {
        return check_with(job, "");
    }
    let Some(database) = fetched_before() else {
        return Err(Stop::NotRun(format!(
            "the database of advisories cannot be fetched from {DATABASE}, and was not fetched before"
        )));
    };
    let age = job.run(command("git log -1").arg("--format=%cs, %cr").arg("HEAD").current_dir(database))?;
    job.note(format!("advisories: the database could not be renewed; its last entry is of {}", age.trim()));
    check_with(job, "--offline")
}

fn check_with(job: &mut Job<'_>, option: &str) -> Result<(), Stop> {
    for mut check in deny::in_each_workspace(&format!("{option} check advisories")) {
        let (status, printed) = job.outcome(&mut check)?;
        if !status.success() {
            return Err(verdict(&printed, option.is_empty()));
        }
    }
    Ok(())
}

/// Why cargo-deny did not succeed. Without a network it may lack more than the database.
fn verdict(printed: &str, has_network: bool) -> Stop {
    if printed.contains("failed to fetch advisory database") {
        Stop::NotRun("the database of advisories could not be fetched".to_owned())
    } else if printed.contains("repository is stale") {
        Stop::NotRun("the database of advisories was fetched more than 90 days ago".to_owned())
    } else if printed.contains("advisories FAILED") {
        Stop::Failed(
            "an advisory concerns a dependency: update it, or name the advisory under `ignore` in deny.toml, with \
             the reason why it does not concern us"
                .to_owned(),
        )
    } else if has_network {
        Stop::Failed("cargo deny came to no verdict".to_owned())
    } else {
        Stop::NotRun("cargo deny came to no verdict without a network".to_owned())
    }
}

/// The database that cargo-deny keeps, if it has fetched one. Its name ends in a hash of the address.
fn fetched_before() -> Option<PathBuf> {
    newest_database(&cargo_home().join("advisory-dbs"))
}

fn newest_database(folder: &Path) -> Option<PathBuf> {
    let databases = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    databases
        .filter(|path| path.join(".git").is_dir())
        .max_by_key(|path| path.metadata().and_then(|data| data.modified()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_with_an_advisory_fails_also_without_a_network() {
        let printed = "error[vulnerability]: Potential segfault in the time crate\nadvisories FAILED\n";
        assert!(matches!(verdict(printed, true), Stop::Failed(_)));
        assert!(matches!(verdict(printed, false), Stop::Failed(_)));
    }

    #[test]
    fn what_the_machine_lacks_is_no_failure_and_what_nobody_expected_is_one() {
        let stale = "[ERROR] repository is stale (last update: 2026-01-01T00:00:00Z)";
        let broken_off = "[ERROR] failed to fetch advisory database https://github.com/RustSec/advisory-db";
        for printed in [stale, broken_off] {
            assert!(matches!(verdict(printed, true), Stop::NotRun(_)), "{printed}");
        }
        assert!(matches!(verdict("error: no such lock file", true), Stop::Failed(_)));
        assert!(matches!(verdict("failed to download", false), Stop::NotRun(_)));
    }

    #[test]
    fn a_database_is_a_repository_in_cargo_denys_folder() {
        let folder = std::env::temp_dir().join(format!("eio-advisories-{}", std::process::id()));
        assert_eq!(newest_database(&folder), None);
        fs::create_dir_all(folder.join("advisory-db-1/.git")).unwrap();
        fs::write(folder.join("db.lock"), "").unwrap();
        let found = newest_database(&folder);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, Some(folder.join("advisory-db-1")));
    }
}
