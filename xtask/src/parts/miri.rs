//! Undefined behaviour, searched for by Miri.

use crate::job::{Job, Stop, command, failed};

/// Tests that Miri runs.
struct Run {
    package: &'static str,
    /// The arguments that choose features and programs.
    programs: &'static str,
    /// The arguments that choose tests of these programs.
    tests: &'static str,
}

/// What runs, what finds most first. The unsafe code of the host's crates is in `wire/text.rs` and `wire/small.rs` of
/// `eio-tokio`; everything else is about dependencies, such as `bytes`, `simdutf8` and `tokio`.
///
/// Left out, and why:
/// - whatever needs a socket, epoll or a process, which Miri does not have: the other tests of the adapters, the core's
///   examples on runtimes (`runtimes`), the tool;
/// - the server of these examples (`example_server`), which is part of no crate;
/// - tests that count what 10,000 clients do, or visit all of a million values: they take the same way through the code each
///   time, and Miri is about a thousand times slower than the processor. For the same reason, properties get two cases;
/// - what leaks on purpose: a payload of a panic whose drop panics as well;
/// - cryptography (TLS, sids of nodes), which is C and assembler.
const RUNS: &[Run] = &[
    Run {
        package: "eio-tokio",
        programs: "--lib",
        tests: "wire:: session:: --skip a_panic_is_caught_with_its_message_and_whatever_its_payload_does",
    },
    Run { package: "eio-socketio", programs: "--lib", tests: "acks args packet parser value" },
    Run { package: "eio-core", programs: "--features serde --lib", tests: "" },
    Run {
        package: "eio-core",
        programs: "--features serde --test auto_traits --test handshake --test polling --test settings \
                   --test settings_serde --test sizes --test socketio_properties --test socketio_vectors \
                   --test stories --test vectors --test ws",
        tests: "",
    },
    Run {
        package: "eio-core",
        programs: "--features serde --test backoff",
        tests: "--skip ten_thousand_clients_are_spread_over_the_window",
    },
    Run { package: "eio-core", programs: "--features serde --test codec_properties --test model", tests: "" },
    Run { package: "eio-legacy", programs: "--features serde --lib --tests", tests: "" },
    Run { package: "eio-sim", programs: "--lib --tests", tests: "" },
];

/// Runs each of [`RUNS`], also after one has failed.
///
/// Not in every change, because it takes long and finds little: nearly all of the code is safe.
pub(crate) fn search(job: &mut Job<'_>) -> Result<(), Stop> {
    let mut result = Ok(());
    for run in RUNS {
        let Run { package, programs, tests } = run;
        println!("[miri] {package} {programs} {tests}");
        let mut test = command(&format!(
            "rustup run nightly cargo miri test --no-fail-fast --package {package} {programs} --target-dir"
        ));
        test.arg(job.workspace.target.join("miri")).arg("--").args(tests.split_whitespace());
        // The tests read their data from files.
        test.env("MIRIFLAGS", "-Zmiri-disable-isolation").env("PROPTEST_CASES", "2");
        let (status, printed) = job.outcome(&mut test)?;
        let passed = passed(&printed);
        println!("[miri] {package}: {} tests passed", passed.len());
        job.note(format!("{package} {programs} {tests}: {} tests passed", passed.len()));
        let held = if status.success() {
            run.has_chosen(&passed)
        } else {
            failed(format!("{package} {programs} {tests}: a test failed ({status})"))
        };
        result = result.and(held);
    }
    result
}

impl Run {
    /// Fails if a filter has chosen no test, and if there was none at all: a name may have changed.
    fn has_chosen(&self, passed: &[&str]) -> Result<(), Stop> {
        // What follows `--skip` chooses none.
        let filters = self.tests.split("--skip ").next().unwrap_or_default();
        let in_vain: Vec<_> = filters
            .split_whitespace()
            .filter(|filter| !passed.iter().any(|test| test.contains(filter)))
            .collect();
        match (passed, in_vain.as_slice()) {
            ([], _) => failed(format!("{} {}: no test ran", self.package, self.programs)),
            (_, []) => Ok(()),
            (_, in_vain) => failed(format!("{}: no test ran of {}", self.package, in_vain.join(", "))),
        }
    }
}

/// The tests that have passed: `test some::name ... ok`.
fn passed(printed: &str) -> Vec<&str> {
    let lines = printed.lines().filter_map(|line| line.strip_prefix("test "));
    lines.filter_map(|line| line.strip_suffix(" ... ok")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: Run = Run { package: "any", programs: "--lib", tests: "wire:: session:: --skip wire::slow" };

    #[test]
    fn what_has_passed_is_read_from_what_tests_print() {
        let printed = "running 3 tests\ntest wire::one ... ok\ntest two ... FAILED\ntest three ... ignored\n";
        assert_eq!(passed(printed), ["wire::one"]);
    }

    #[test]
    fn each_filter_must_choose_a_test() {
        assert!(RUN.has_chosen(&["wire::one", "session::two"]).is_ok());
        assert!(RUN.has_chosen(&["wire::one"]).unwrap_err().sentence().contains("session::"));
        assert!(RUN.has_chosen(&[]).unwrap_err().sentence().contains("no test ran"));
    }

    #[test]
    fn without_a_filter_one_test_is_enough_and_none_is_not() {
        let all = Run { tests: "", ..RUN };
        assert!(all.has_chosen(&["anything"]).is_ok());
        assert!(all.has_chosen(&[]).is_err());
        let skips = Run { tests: "--skip one", ..RUN };
        assert!(skips.has_chosen(&["anything"]).is_ok());
    }
}
