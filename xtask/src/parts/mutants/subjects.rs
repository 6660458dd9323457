//! What is changed, and with which tests each change is tried.

use std::process::Command;

/// A package whose code is changed.
pub(super) struct Subject {
    pub(super) package: &'static str,
    pub(super) manifest: &'static str,
    pub(super) features: &'static str,
    /// Which of its files.
    pub(super) files: &'static [&'static str],
    /// Each tries what the stages before have not found. The first ones find most, in seconds.
    pub(super) stages: &'static [Stage],
}

/// Some tests of a package.
pub(super) struct Stage {
    pub(super) name: &'static str,
    pub(super) programs: Programs,
    /// Tests that take long, and are left to a later stage.
    pub(super) skipped: &'static [&'static str],
    /// Dependencies that these programs do not need, and that would be compiled again for each mutant.
    pub(super) left_out: &'static [&'static str],
    /// How many cases each property is tried with.
    pub(super) cases: &'static str,
}

/// The arguments of cargo that choose test programs.
pub(super) type Arguments = &'static [&'static str];

/// Which test programs a stage builds.
pub(super) enum Programs {
    /// The same for each file.
    These(Arguments),
    /// By the first of these prefixes that the file's path has. A file without one has no such stage.
    OfPath(&'static [(&'static str, Arguments)]),
}

pub(super) const SUBJECTS: [Subject; 2] = [
    Subject {
        package: "eio-core",
        manifest: "core/Cargo.toml",
        features: "serde",
        files: &["core/src/**/*.rs"],
        stages: &[
            Stage {
                name: "unit tests",
                programs: Programs::These(&["--lib"]),
                skipped: &[
                    "every_character_is_accepted_at_every_cut",
                    "all_of_up_to_three_bytes_and_what_borders_on_a_rule_in_four",
                    "a_short_message_is_found_at_every_length_and_place",
                    "the_code_for_small_machines_takes_what_the_standard_library_takes",
                ],
                left_out: &["eio-tests"],
                cases: FEW_CASES,
            },
            Stage {
                name: "tests of this file",
                programs: Programs::OfPath(&[
                    ("core/src/backoff", &["--test=backoff"]),
                    ("core/src/client", MODEL_AND_STORIES),
                    ("core/src/handshake", &["--test=handshake"]),
                    ("core/src/heartbeat", MODEL_AND_STORIES),
                    (
                        "core/src/json",
                        &["--test=handshake", "--test=socketio_vectors", "--test=socketio_properties"],
                    ),
                    ("core/src/packet", &["--test=vectors", "--test=codec_properties"]),
                    ("core/src/payload", &["--test=vectors", "--test=codec_properties"]),
                    ("core/src/polling", &["--test=polling"]),
                    ("core/src/server", MODEL_AND_STORIES),
                    ("core/src/session", MODEL_AND_STORIES),
                    ("core/src/settings", &["--test=settings", "--test=settings_serde"]),
                    ("core/src/socketio", &["--test=socketio_vectors", "--test=socketio_properties"]),
                    ("core/src/upgrade", MODEL_AND_STORIES),
                    ("core/src/ws", &["--test=ws"]),
                ]),
                skipped: &[
                    "in_ten_thousand_worlds",
                    "mistakes::",
                    "every_bad_stream_is_refused_at_the_earliest_byte",
                    "every_case_holds_in_both_roles_however_it_is_cut",
                ],
                left_out: &[],
                cases: FEW_CASES,
            },
            Stage {
                name: "tests that take seconds",
                programs: Programs::These(&[
                    "--test=backoff",
                    "--test=codec_properties",
                    "--test=handshake",
                    "--test=model",
                    "--test=polling",
                    "--test=settings",
                    "--test=settings_serde",
                    "--test=sizes",
                    "--test=socketio_properties",
                    "--test=socketio_vectors",
                    "--test=stories",
                    "--test=vectors",
                    "--test=ws",
                ]),
                skipped: &["in_ten_thousand_worlds", "mistakes::"],
                left_out: &[],
                cases: FEW_CASES,
            },
            ALL_TESTS,
        ],
    },
    Subject {
        package: "eio-tokio",
        manifest: "std-adapter/Cargo.toml",
        features: "default",
        files: &[
            "std-adapter/src/session/**/*.rs",
            "std-adapter/src/carrier.rs",
            "std-adapter/src/carrier/**/*.rs",
            "std-adapter/src/wire/**/*.rs",
            "std-adapter/src/server/session.rs",
            "std-adapter/src/server/polling.rs",
            "std-adapter/src/client/session.rs",
            "std-adapter/src/client/polling.rs",
        ],
        stages: &[
            // One program is built in half of the time of two, and finds most.
            Stage {
                name: "unit tests or tests in virtual time",
                programs: Programs::OfPath(&[
                    ("std-adapter/src/wire", &["--lib"]),
                    ("std-adapter/src", &["--test=exact"]),
                ]),
                skipped: &[
                    "a_hundred_thousand",
                    "messages_of_every_length_arrive_whole",
                    "more_than_a_scratch_buffer_behind_the_request",
                ],
                left_out: &[],
                cases: FEW_CASES,
            },
            Stage {
                name: "tests of this file",
                programs: Programs::OfPath(&[
                    ("std-adapter/src/carrier", &["--lib", "--test=client"]),
                    ("std-adapter/src/client", &["--lib", "--test=client"]),
                    ("std-adapter/src/wire", &["--test=exact", "--test=client", "--test=http"]),
                    ("std-adapter/src", &["--lib", "--test=client", "--test=http"]),
                ]),
                skipped: &[],
                left_out: &[],
                cases: FEW_CASES,
            },
            ALL_TESTS,
        ],
    },
];

/// The sessions' tests, with the simulated world and without it.
const MODEL_AND_STORIES: Arguments = &["--test=model", "--test=stories"];

/// How many cases quick stages try each property with.
const FEW_CASES: &str = "16";

/// The examples of the documentation, too.
const ALL_TESTS: Stage =
    Stage { name: "all tests", programs: Programs::These(&[]), skipped: &[], left_out: &[], cases: "64" };

impl Programs {
    /// Those that are built for the mutants of a file.
    pub(super) fn of(&self, path: &str) -> Option<Arguments> {
        match *self {
            Self::These(arguments) => Some(arguments),
            Self::OfPath(prefixes) => {
                prefixes.iter().find(|(prefix, _)| path.starts_with(prefix)).map(|&(_, arguments)| arguments)
            }
        }
    }
}

impl Stage {
    /// Leaves out what takes long, for `cargo test` and for what hands its last arguments on to it. The properties' cases are
    /// always the same: a mutant that was found once is found again.
    pub(super) fn limit<'a>(&self, test: &'a mut Command) -> &'a mut Command {
        test.env("PROPTEST_CASES", self.cases)
            .env("PROPTEST_RNG_SEED", "1")
            .env("PROPTEST_MAX_SHRINK_ITERS", "0")
            .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true")
            .arg("--")
            .args(self.skipped.iter().flat_map(|name| ["--skip", name]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_tests_of_the_first_prefix_that_fits() {
        let programs = Programs::OfPath(&[("a/b", &["--test=b"]), ("a", &["--test=a"])]);
        let tests = ["a/b/c.rs", "a/c.rs", "b.rs"].map(|path| programs.of(path));
        assert_eq!(tests, [Some(&["--test=b"][..]), Some(&["--test=a"][..]), None]);
        assert_eq!(Programs::These(&["--lib"]).of("b.rs"), Some(&["--lib"][..]));
    }
}
