//! The command line: what was asked for, or one sentence that says what is wrong with it.

use core::fmt::Write as _;

use crate::part::{PARTS, Part, Verb};

/// What a command line asks for.
pub(crate) enum Order {
    Help,
    List,
    Run {
        title: String,
        parts: Vec<&'static Part>,
        verbose: bool,
    },
    /// Shows the firmware at work, with this server or our own.
    Firmware {
        server: Option<String>,
    },
}

/// Reads the arguments that follow `cargo xtask`.
pub(crate) fn parse(arguments: &[String]) -> Result<Order, String> {
    if let Some(("firmware", options)) = arguments.split_first().map(|(verb, rest)| (verb.as_str(), rest)) {
        return firmware(options);
    }
    let mut verbose = false;
    let mut words = Vec::new();
    for argument in arguments {
        match argument.as_str() {
            "-h" | "--help" | "help" => return Ok(Order::Help),
            "-v" | "--verbose" => verbose = true,
            option if option.starts_with('-') => {
                return Err(format!("unknown option {option}: `cargo xtask` knows --verbose and --help"));
            }
            word => words.push(word),
        }
    }
    let Some((verb, names)) = words.split_first() else { return Ok(Order::Help) };
    if *verb == "list" {
        return match names.first() {
            None => Ok(Order::List),
            Some(name) => Err(format!("`cargo xtask list` takes no argument, but got {name}")),
        };
    }
    let Some(verb) = Verb::ALL.into_iter().find(|known| known.name() == *verb) else {
        return Err(format!(
            "unknown command {verb}: `cargo xtask` knows check, test, prove, firmware, list and help"
        ));
    };
    let parts = if names.is_empty() { verb.parts() } else { named(names)? };
    let title = [verb.name()].iter().chain(names).copied().collect::<Vec<_>>().join(" ");
    Ok(Order::Run { title, parts, verbose })
}

/// Reads what follows `cargo xtask firmware`.
fn firmware(options: &[String]) -> Result<Order, String> {
    match options {
        [] => Ok(Order::Firmware { server: None }),
        [name, server] if name == "--server" && server.starts_with("http://") => {
            Ok(Order::Firmware { server: Some(server.clone()) })
        }
        [help] if help == "--help" || help == "-h" => Ok(Order::Help),
        _ => Err(
            "`cargo xtask firmware` takes --server and a URL, such as http://192.168.1.2:3000/, or nothing"
                .to_owned(),
        ),
    }
}

/// The parts with these names, in the order of the list, each once. Whatever verb they belong to, they run.
fn named(names: &[&str]) -> Result<Vec<&'static Part>, String> {
    for name in names {
        if !PARTS.iter().any(|part| part.name == *name) {
            return Err(format!("unknown part {name}: `cargo xtask list` names them all"));
        }
    }
    Ok(PARTS.iter().filter(|part| names.contains(&part.name)).collect())
}

/// What `cargo xtask` alone prints.
pub(crate) fn help() -> String {
    let mut text = String::from(
        "The developer's one command.\n\
         \n\
         cargo xtask check           the quick loop while writing\n\
         cargo xtask test            everything that a change must pass\n\
         cargo xtask prove           long proofs, beyond what every change waits for\n\
         cargo xtask <verb> <part>.. only these parts\n\
         cargo xtask firmware        shows a board and a server at work, until Ctrl-C; with another server than ours:\n\
         \u{20}                           --server http://192.168.1.2:3000/socket.io/ (without a path: Engine.IO)\n\
         cargo xtask list            every part, and what it checks\n\
         \n\
         Options: --verbose (show the output of every command), --help\n\
         \n",
    );
    for verb in Verb::ALL {
        let names: Vec<_> = verb.parts().iter().map(|part| part.name).collect();
        let _ = writeln!(text, "{:<6} runs {}", verb.name(), names.join(", "));
    }
    text
}

/// What `cargo xtask list` prints.
pub(crate) fn list() -> String {
    let width = PARTS.iter().map(|part| part.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for part in PARTS {
        let _ = writeln!(text, "{:width$}  {:5}  {}", part.name, part.verb.name(), part.about);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Order, String> {
        parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    fn names(line: &str) -> Vec<&'static str> {
        match parsed(line) {
            Ok(Order::Run { parts, .. }) => parts.iter().map(|part| part.name).collect(),
            _ => panic!("`{line}` runs nothing"),
        }
    }

    #[test]
    fn no_argument_asks_for_help() {
        assert!(matches!(parsed(""), Ok(Order::Help)));
        assert!(matches!(parsed("test --help"), Ok(Order::Help)));
    }

    #[test]
    fn whatever_check_runs_test_runs_too_and_prove_runs_neither() {
        let (check, test, prove) = (names("check"), names("test"), names("prove"));
        assert!(check.iter().all(|name| test.contains(name)));
        assert!(prove.iter().all(|name| !test.contains(name)));
        assert_eq!(test.len() + prove.len(), PARTS.len());
    }

    #[test]
    fn named_parts_run_alone_and_once() {
        assert_eq!(names("test fmt clippy fmt"), ["fmt", "clippy"]);
    }

    #[test]
    fn a_bad_argument_is_named_in_one_sentence() {
        for (line, named) in
            [("tset", "tset"), ("test ftm", "ftm"), ("test --fast", "--fast"), ("list all", "all")]
        {
            let Err(sentence) = parsed(line) else { panic!("`{line}` was accepted") };
            assert!(sentence.contains(named) && sentence.lines().count() == 1, "{sentence}");
        }
    }

    #[test]
    fn the_firmware_is_shown_with_our_server_or_another() {
        assert!(matches!(parsed("firmware"), Ok(Order::Firmware { server: None })));
        let Ok(Order::Firmware { server }) = parsed("firmware --server http://host:3000/") else { panic!() };
        assert_eq!(server.as_deref(), Some("http://host:3000/"));
        assert!(parsed("firmware --server ftp://host").is_err() && parsed("firmware now").is_err());
    }

    #[test]
    fn help_and_list_name_every_part() {
        for part in PARTS {
            assert!(help().contains(part.name) && list().contains(part.name), "{}", part.name);
        }
    }
}
