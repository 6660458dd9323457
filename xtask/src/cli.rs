//! The command line.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, RangedU64ValueParser};
use clap::{Args, Parser};

use crate::bench::rows::ROWS;
use crate::part::{PARTS, Part, SHARDED, Verb};
use crate::parts::firmware::boards::BOARDS;
use crate::shard::Shard;

/// The developer's one command.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", after_help = verbs(), disable_help_subcommand = true)]
pub(crate) enum Order {
    /// Runs the quick loop while writing
    Check(Chosen),
    /// Runs everything that a change must pass
    Test(Chosen),
    /// Runs the parts that take too long for every change
    Prove {
        #[command(flatten)]
        chosen: Chosen,
        /// Only this share of the part `mutants`: the k-th of n, with k from 1 to n
        #[arg(long, value_name = "K/N")]
        shard: Option<Shard>,
    },
    /// Shows an emulated board and a server at work, until Ctrl-C; or builds a copy of a real board's folder
    Firmware {
        /// Another server than ours: <http://192.168.1.2:3000/socket.io/> (without a path: Engine.IO)
        #[arg(long, value_name = "URL", value_parser = url)]
        server: Option<String>,
        /// The file with the public key of a server whose URL begins with https: the 91 bytes that `openssl pkey -pubout
        /// -outform der` writes
        #[arg(long, value_name = "FILE", requires = "server")]
        key: Option<PathBuf>,
        /// Lints and builds a copy of this board's folder, outside of the workspace and from packages as they will be
        /// published
        #[arg(long, value_name = "BOARD", conflicts_with = "server",
              value_parser = PossibleValuesParser::new(BOARDS.iter().map(|board| board.name)))]
        template: Option<String>,
    },
    /// Measures our server beside a bare loop and other people's servers
    Bench(Bench),
    /// Writes docs/mutants.md from the pages of shards that other machines have tried
    MutantsPage {
        /// The pages that they have written
        #[arg(value_name = "PAGE", required = true)]
        pages: Vec<PathBuf>,
    },
    /// Prints every part, and what it checks
    List,
}

/// What is measured, and where the results go.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Three short rounds, and what has changed since the committed results of this machine
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these rows, and those that they are compared with
    #[arg(long, value_name = "ROW,..", value_delimiter = ',',
          value_parser = PossibleValuesParser::new(ROWS.iter().map(|row| row.name)))]
    pub(crate) only: Vec<String>,
    /// How many rounds; a verdict takes nine
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=99))]
    pub(crate) rounds: Option<usize>,
    /// The folder for the table, the JSON file and the plot [default: benches/results for all rows and at least nine
    /// rounds, otherwise bench in cargo's target folder]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
}

/// Which parts run, and how much of them is seen.
#[derive(Debug, Args)]
pub(crate) struct Chosen {
    /// Only these parts, whichever command they belong to (`cargo xtask list` names them)
    #[arg(value_name = "PART", value_parser = PossibleValuesParser::new(PARTS.iter().map(|part| part.name)),
          hide_possible_values = true)]
    names: Vec<String>,
    /// Show the output of every command, and run one part at a time
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Write what each part finds, if it passes, into docs/proofs.md
    #[arg(long)]
    pub(crate) record: bool,
}

impl Chosen {
    /// The parts that were named, in the order of the list, each once; without a name, those of the verb.
    pub(crate) fn parts(&self, verb: Verb) -> Vec<&'static Part> {
        if self.names.is_empty() {
            return verb.parts();
        }
        PARTS.iter().filter(|part| self.names.iter().any(|name| name == part.name)).collect()
    }
}

fn url(text: &str) -> Result<String, &'static str> {
    if text.starts_with("http://") || text.starts_with("https://") {
        Ok(text.to_owned())
    } else {
        Err("expected a URL that begins with http:// or https://")
    }
}

/// Fails if one of the parts does not work in shards.
pub(crate) fn check_shard(parts: &[&Part]) -> Result<(), String> {
    let whole: Vec<_> = parts.iter().map(|part| part.name).filter(|name| !SHARDED.contains(name)).collect();
    if whole.is_empty() {
        return Ok(());
    }
    Err(format!(
        "--shard concerns {} only, and these parts run whole: {}",
        SHARDED.join(", "),
        whole.join(", ")
    ))
}

/// Which parts each verb runs.
fn verbs() -> String {
    let lines = Verb::ALL.into_iter().map(|verb| {
        let names: Vec<_> = verb.parts().iter().map(|part| part.name).collect();
        format!("{:<5} runs {}", verb.name(), names.join(", "))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What `cargo xtask list` prints.
pub(crate) fn list() -> String {
    let width = PARTS.iter().map(|part| part.name.len()).max().unwrap_or(0);
    let lines =
        PARTS.iter().map(|part| format!("{:width$}  {:5}  {}", part.name, part.verb.name(), part.about));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    use super::*;

    fn parsed(line: &str) -> Result<Order, clap::Error> {
        Order::try_parse_from(["cargo xtask"].into_iter().chain(line.split_whitespace()))
    }

    fn names(line: &str) -> Vec<&'static str> {
        let parts = match parsed(line) {
            Ok(Order::Check(chosen)) => chosen.parts(Verb::Check),
            Ok(Order::Test(chosen)) => chosen.parts(Verb::Test),
            Ok(Order::Prove { chosen, .. }) => chosen.parts(Verb::Prove),
            other => panic!("`{line}` runs no parts: {other:?}"),
        };
        parts.iter().map(|part| part.name).collect()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Order::command().debug_assert();
    }

    #[test]
    fn test_runs_what_check_runs_and_prove_runs_the_rest() {
        let (check, test, prove) = (names("check"), names("test"), names("prove"));
        assert!(check.iter().all(|name| test.contains(name)));
        assert!(prove.iter().all(|name| !test.contains(name)));
        assert_eq!(test.len() + prove.len(), PARTS.len());
    }

    #[test]
    fn the_weekly_run_has_each_part_of_prove_in_one_job() {
        const JOBS: &str = include_str!("../../.github/workflows/ci.yml");
        let (_, matrix) = JOBS.split_once("        parts:\n").unwrap();
        let rows = matrix.lines().map_while(|line| line.strip_prefix("          - "));
        let mut parts: Vec<&str> = rows.flat_map(|row| row.split(' ')).collect();
        parts.extend(
            SHARDED.iter().filter(|part| JOBS.contains(&format!("cargo xtask prove {part} --shard"))),
        );
        parts.sort_unstable();
        let mut prove = names("prove");
        prove.sort_unstable();
        assert_eq!(parts, prove, "left is .github/workflows/ci.yml");
    }

    #[test]
    fn named_parts_run_alone_and_once() {
        assert_eq!(names("test fmt clippy fmt"), ["fmt", "clippy"]);
        assert_eq!(names("check soak"), ["soak"]);
    }

    #[test]
    fn a_shard_is_refused_for_parts_that_run_whole() {
        let Ok(Order::Prove { chosen, shard }) = parsed("prove mutants --shard 2/8") else { panic!() };
        assert_eq!(shard, "2/8".parse().ok());
        assert_eq!(check_shard(&chosen.parts(Verb::Prove)), Ok(()));
        for line in ["prove --shard 2/8", "prove mutants soak --shard 2/8"] {
            let Ok(Order::Prove { chosen, .. }) = parsed(line) else { panic!() };
            let sentence = check_shard(&chosen.parts(Verb::Prove)).unwrap_err();
            assert!(sentence.contains("concerns mutants only") && sentence.contains("soak"), "{sentence}");
        }
        for line in ["test mutants --shard 2/8", "prove mutants --shard 9/8"] {
            assert_eq!(parsed(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn a_bad_argument_is_named() {
        for (line, named) in
            [("tset", "tset"), ("test ftm", "ftm"), ("test --fast", "--fast"), ("list all", "all")]
        {
            let error = parsed(line).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(named), "{error}");
        }
    }

    #[test]
    fn the_firmware_is_shown_with_our_server_or_another() {
        assert!(matches!(
            parsed("firmware"),
            Ok(Order::Firmware { server: None, key: None, template: None })
        ));
        let Ok(Order::Firmware { server, .. }) = parsed("firmware --server http://host:3000/") else {
            panic!()
        };
        assert_eq!(server.as_deref(), Some("http://host:3000/"));
        assert!(parsed("firmware --server ftp://host").is_err() && parsed("firmware now").is_err());
        let Ok(Order::Firmware { key, .. }) = parsed("firmware --server https://host --key k.der") else {
            panic!()
        };
        assert_eq!(key, Some(PathBuf::from("k.der")));
        assert!(parsed("firmware --key k.der").is_err(), "of which server?");
    }

    #[test]
    fn a_board_is_built_alone_and_one_that_does_not_exist_is_named_with_those_that_do() {
        let Ok(Order::Firmware { template, .. }) = parsed("firmware --template pico2-w") else { panic!() };
        assert_eq!(template.as_deref(), Some("pico2-w"));
        let error = parsed("firmware --template pico9").unwrap_err().to_string();
        assert!(error.contains("pico9") && error.contains("nucleo-h743zi"), "{error}");
        assert!(parsed("firmware --template pico2-w --server http://host/").is_err());
    }

    #[test]
    fn the_benchmark_takes_rows_rounds_and_a_folder() {
        let line = "bench --quick --only echo-1k,memory-5000 --rounds 3 --out results";
        let Ok(Order::Bench(bench)) = parsed(line) else { panic!() };
        assert!(bench.quick && bench.only == ["echo-1k", "memory-5000"] && bench.rounds == Some(3));
        assert_eq!(bench.out, Some(PathBuf::from("results")));
        let Ok(Order::Bench(bench)) = parsed("bench") else { panic!() };
        assert!(!bench.quick && bench.only.is_empty() && bench.rounds.is_none() && bench.out.is_none());
    }

    #[test]
    fn a_row_that_does_not_exist_is_named_with_those_that_do() {
        let error = parsed("bench --only echo-1k,nonsense").unwrap_err().to_string();
        assert!(error.contains("nonsense") && error.contains("heartbeats-5000"), "{error}");
        for line in ["bench --rounds 0", "bench --rounds many", "bench --rounds 100", "bench echo-1k"] {
            assert_eq!(parsed(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn help_and_list_name_every_part() {
        let help = parsed("--help").unwrap_err();
        assert_eq!(help.kind(), ErrorKind::DisplayHelp);
        for part in PARTS {
            assert!(help.to_string().contains(part.name) && list().contains(part.name), "{}", part.name);
        }
    }
}
