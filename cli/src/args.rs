//! The command line.

use std::ffi::OsString;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::connect;
use crate::serve;
use crate::simulate;
use crate::usage::Exit;

/// Run an Engine.IO server, connect to one, and find out why "ping timeout" fires
///
/// Engine.IO is the transport under Socket.IO. Without a command, eio runs `eio serve` with its defaults.
#[derive(Debug, Parser)]
#[command(name = "eio", version, override_usage = "eio [COMMAND]", disable_help_subcommand = true, after_help = EXAMPLES)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  eio                            serve on 127.0.0.1:3000, with a page at http://127.0.0.1:3000/
  eio serve --echo --json        serve, send every message back, and print events as JSON
  eio connect --socketio https://app.example
                                 show the heartbeats of a Socket.IO server, and why a session ends
  eio simulate --ping-interval 10s --ping-timeout 5s
                                 show how soon these periods reveal a dead peer

'eio <COMMAND> --help' lists the options of a command.";

/// A command and its options.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(serve::Options),
    Connect(connect::Options),
    Simulate(simulate::Options),
}

/// Reads the command line, whose first argument is the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Exit> {
    let mut arguments: Vec<_> = arguments.into_iter().collect();
    if arguments.len() < 2 {
        arguments = vec!["eio".into(), "serve".into()];
    }
    let mut command = Line::command();
    let named = arguments.get(1).and_then(|name| name.to_str());
    let whose = match named.and_then(|name| command.find_subcommand(name)) {
        Some(known) => format!("eio {}", known.get_name()),
        None => "eio".to_owned(),
    };
    let line = command
        .try_get_matches_from_mut(arguments)
        .and_then(|matches| Line::from_arg_matches(&matches))
        .map_err(|error| Exit::from_clap(error, &whose))?;
    Ok(line.command)
}

/// Returns the long help of a command.
#[cfg(test)]
pub(crate) fn help(command: &str) -> String {
    Line::command().find_subcommand_mut(command).unwrap().render_long_help().to_string()
}

/// Reads the options of a command, for its tests.
#[cfg(test)]
pub(crate) fn options<A: clap::Args>(line: &str) -> A {
    #[derive(Parser)]
    struct Line<A: clap::Args> {
        #[command(flatten)]
        options: A,
    }

    Line::try_parse_from(["eio"].into_iter().chain(line.split_whitespace())).unwrap().options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, Exit> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn sentence(line: &str) -> String {
        match parsed(line) {
            Err(Exit::BadUsage { sentence, command }) => format!("{sentence} [{command}]"),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn no_command_serves_with_the_defaults_that_the_help_states() {
        let (implied, stated) = (parsed("eio").unwrap(), parsed("eio serve").unwrap());
        assert_eq!(format!("{implied:?}"), format!("{stated:?}"));
        let spelled = parsed(
            "eio serve --listen 127.0.0.1:3000 --path /engine.io/ --ping-interval 25s --ping-timeout 20s \
             --upgrade-timeout 10s --idle-timeout 75s --max-payload 1000000 --transports polling,websocket --liveness extend-once",
        );
        assert_eq!(format!("{:?}", spelled.unwrap()), format!("{stated:?}"));
    }

    #[test]
    fn each_mistake_is_named_in_one_sentence() {
        for (line, expected) in [
            ("eio srve", "unknown command \"srve\"; did you mean serve? [eio]"),
            ("eio serve now", "unexpected argument \"now\" [eio serve]"),
            ("eio serve --lisen x", "unknown option --lisen; did you mean --listen? [eio serve]"),
            ("eio serve --frobnicate", "unknown option --frobnicate [eio serve]"),
            ("eio serve --listen", "--listen needs a value [eio serve]"),
            (
                "eio serve --listen 3000",
                "--listen: \"3000\": expected HOST:PORT, such as 127.0.0.1:3000 [eio serve]",
            ),
            (
                "eio serve --ping-interval 25",
                "--ping-interval: \"25\": the unit is missing: expected ms, s, m or h, as in 25s or 25ms [eio serve]",
            ),
            (
                "eio serve --ping-timeout 5x",
                "--ping-timeout: \"5x\": unknown unit \"x\": expected ms, s, m or h [eio serve]",
            ),
            ("eio serve --idle-timeout 500ms", "--idle-timeout: \"500ms\": expected at least 1s [eio serve]"),
            (
                "eio serve --liveness never",
                "--liveness: unknown value \"never\": expected one of extend-once, pong-only, any-packet [eio serve]",
            ),
            (
                "eio serve --transports polling,carrier-pigeon",
                "--transports: unknown value \"carrier-pigeon\": expected one of polling, websocket [eio serve]",
            ),
            (
                "eio serve --max-payload 1MB",
                "--max-payload: \"1MB\": expected a number of bytes from 1 to 4294967295 [eio serve]",
            ),
            (
                "eio serve --cors foo",
                "--cors: \"foo\" is not an origin: expected only a scheme and a host, such as https://example.org, or \
                 https://*.example.org for all subdomains [eio serve]",
            ),
            ("eio serve --json --json", "--json may be given only once [eio serve]"),
            ("eio http://ann:secret@h", "unknown command \"http://…@h\" [eio]"),
            (
                "eio serve --unix s --unix-mode 888",
                "--unix-mode: \"888\": expected permissions in octal, such as 600 or 660 [eio serve]",
            ),
        ] {
            assert_eq!(sentence(line), expected);
        }
    }

    #[test]
    fn mistakes_of_connect_are_named_without_secrets() {
        for (line, expected) in [
            (
                "eio connect --try-all-transports --transport polling h",
                "--try-all-transports cannot be combined with --transport [eio connect]",
            ),
            (
                "eio connect http://h http://ann:secret@h/?token=secret",
                "unexpected argument \"http://…@h/?token=…\" [eio connect]",
            ),
            (
                "eio connect --header secret h",
                "--header: expected a name, a colon and a value, such as 'X-Token: abc' [eio connect]",
            ),
            (
                "eio connect --socketio --auth secret h",
                "--auth: expected a JSON object, such as {\"token\":\"...\"} [eio connect]",
            ),
            ("eio connect", "<URL> is missing [eio connect]"),
            ("eio connect --auth {} http://h", "--socketio is missing [eio connect]"),
            (
                "eio connect --ca f --insecure https://h",
                "--ca cannot be combined with --insecure [eio connect]",
            ),
        ] {
            assert_eq!(sentence(line), expected);
        }
    }

    #[test]
    fn help_is_not_a_mistake() {
        for line in ["eio --help", "eio -h", "eio serve --help", "eio simulate -h", "eio --version"] {
            assert!(matches!(parsed(line), Err(Exit::Text(_))), "{line}");
        }
    }
}
