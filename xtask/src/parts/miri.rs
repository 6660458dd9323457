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
/// - what takes many minutes, because Miri is thousands of times slower than the processor, and has only safe code to look
///   at: simulated worlds and comparisons with models (`stories`, `model`, `worlds`, `train`), comparisons with what was
///   recorded (`vectors`, `socketio_vectors`, `recordings`), and tests that read megabytes or visit all of many values,
///   which say so themselves by `cfg_attr(miri, ignore)`. For the same reason, some loops are shorter under Miri, and
///   properties get two cases;
/// - what leaks on purpose: a payload of a panic whose drop panics as well;
/// - cryptography (TLS, sids of nodes), which is C and assembler.
const RUNS: &[Run] = &[
    Run {
        package: "eio-tokio",
        programs: "--lib",
        tests: "wire:: session:: carrier::websocket::batch --skip a_panic_is_caught_with_its_message_and_whatever_its_payload_does",
    },
    Run { package: "eio-socketio", programs: "--lib", tests: "acks:: args:: packet:: parser:: value::" },
    Run { package: "eio-core", programs: "--features serde --lib", tests: "" },
    Run {
        package: "eio-core",
        programs: "--features serde --test auto_traits --test backoff --test codec_properties --test handshake \
                   --test polling --test settings --test settings_serde --test sizes --test socketio_properties \
                   --test ws",
        tests: "",
    },
    Run {
        package: "eio-legacy",
        programs: "--features serde --lib --test properties --test settings --test settings_serde --test sizes \
                   --test stories",
        tests: "",
    },
    Run { package: "eio-sim", programs: "--lib", tests: "" },
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
        let (status, printed) = job.outcome_telling(&mut test, |printed| {
            let passed = passed(printed);
            let last = passed.last().copied().unwrap_or("nothing yet");
            println!("[miri] {package}: {} tests passed, the last of them {last}", passed.len());
        })?;
        let count = passed(&printed).len();
        println!("[miri] {package}: {count} tests passed");
        job.note(format!("{package} {programs} {tests}: {count} tests passed"));
        let held = if status.success() {
            run.has_chosen(&printed)
        } else {
            failed(format!("{package} {programs} {tests}: a test failed ({status})"))
        };
        result = result.and(held);
    }
    result
}

impl Run {
    /// Fails if a filter has chosen no test, and if a program has run none: a name may have changed.
    fn has_chosen(&self, printed: &str) -> Result<(), Stop> {
        let all = passed(printed);
        if all.is_empty() {
            return failed(format!("{} {}: no test ran", self.package, self.programs));
        }
        if let Some(program) = by_program(printed).find(|program| passed(program).is_empty()) {
            let name = program.split(" (").next().unwrap_or_default();
            return failed(format!("{}: no test of {name} ran", self.package));
        }
        // What follows `--skip` chooses none.
        let filters = self.tests.split("--skip ").next().unwrap_or_default();
        let mut filters = filters.split_whitespace();
        match filters.find(|filter| !all.iter().any(|test| test.contains(filter))) {
            None => Ok(()),
            Some(filter) => failed(format!("{}: no test ran of {filter}", self.package)),
        }
    }
}

/// What each program of tests has printed, from its name in cargo's line on: `Running tests/ws/main.rs (target/..`.
fn by_program(printed: &str) -> impl Iterator<Item = &str> {
    printed.split("     Running ").skip(1)
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

    /// What cargo and a program of tests print.
    fn program(name: &str, passed: &[&str]) -> String {
        let lines = passed.iter().map(|test| format!("test {test} ... ok\n")).collect::<Vec<_>>().concat();
        format!("     Running {name} (target/miri/any)\n\nrunning 9 tests\ntest slow ... ignored\n{lines}")
    }

    #[test]
    fn each_filter_must_choose_a_test() {
        let chosen = |passed: &[&str]| RUN.has_chosen(&program("unittests src/lib.rs", passed));
        assert!(chosen(&["wire::one", "session::two"]).is_ok());
        assert!(chosen(&["wire::one"]).unwrap_err().sentence().contains("session::"));
        assert!(chosen(&[]).unwrap_err().sentence().contains("no test ran"));
    }

    #[test]
    fn each_program_must_run_a_test() {
        let all = Run { tests: "", ..RUN };
        let one = program("tests/one.rs", &["anything"]);
        assert!(all.has_chosen(&one).is_ok());
        let two = one + &program("tests/two.rs", &[]);
        assert!(all.has_chosen(&two).unwrap_err().sentence().contains("no test of tests/two.rs ran"));
    }

    #[test]
    fn what_is_left_out_chooses_nothing() {
        let skips = Run { tests: "--skip one", ..RUN };
        assert!(skips.has_chosen(&program("tests/one.rs", &["anything"])).is_ok());
        assert!(skips.has_chosen("").is_err());
    }
}
