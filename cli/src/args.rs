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
  eio serve --socketio --echo    serve Socket.IO clients, and send every event back
  eio connect --socketio https://app.example
                                 show the heartbeats of a Socket.IO server, and why a session ends
  eio simulate --ping-interval 10s --ping-timeout 5s
                                 show how soon these periods reveal a dead peer
  eio simulate --tunnel 30s/5m --within 60s --sweep --plot train.svg
                                 find the interval and the timeout for a train

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
    let named = named.and_then(|name| command.find_subcommand(name)).map(|known| known.get_name().to_owned());
    let parsed =
        command.try_get_matches_from_mut(arguments).and_then(|matches| Line::from_arg_matches(&matches));
    match (parsed, named) {
        (Ok(line), _) => Ok(line.command),
        (Err(error), Some(name)) => {
            let whose = command.find_subcommand(&name).unwrap_or(&command);
            Err(Exit::from_clap(error, &format!("eio {name}"), whose))
        }
        (Err(error), None) => Err(Exit::from_clap(error, "eio", &command)),
    }
}

/// Returns the commands and their options.
#[cfg(test)]
pub(crate) fn commands() -> clap::Command {
    Line::command()
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
            Err(Exit::BadUsage { sentence, command: Some(command) }) => format!("{sentence} [{command}]"),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn no_command_serves() {
        let (implied, stated) = (parsed("eio").unwrap(), parsed("eio serve").unwrap());
        assert_eq!(format!("{implied:?}"), format!("{stated:?}"));
    }

    #[test]
    fn each_mistake_is_named_in_one_sentence() {
        for (line, expected) in [
            ("eio srve", "unknown command \"srve\"; did you mean serve? [eio]"),
            ("eio serve now", "unexpected argument \"now\" [eio serve]"),
            ("eio serve --lisen x", "unknown option --lisen; did you mean --listen? [eio serve]"),
            ("eio serve --frobnicate", "unknown option --frobnicate [eio serve]"),
            (
                "eio simulate --ping-interval -5s",
                "unknown option -5: no value may be negative [eio simulate]",
            ),
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
    fn each_mistake_about_a_network_is_named_in_one_sentence() {
        for (line, expected) in [
            (
                "eio simulate --tunnel 30s",
                "--tunnel: \"30s\": expected LENGTH/PERIOD, such as 30s/5m for 30 s every five minutes [eio simulate]",
            ),
            (
                "eio simulate --tunnel 5m/30s",
                "--tunnel: \"5m/30s\": it would never end: expected less than 30 s of every 30 s [eio simulate]",
            ),
            (
                "eio simulate --loss 2",
                "--loss: \"2\": expected a percentage from 0% to 100%, such as 2% [eio simulate]",
            ),
            (
                "eio simulate --rtt 160ms..40ms",
                "--rtt: \"160ms..40ms\": the second time is shorter than the first one: expected SHORTEST..LONGEST [eio simulate]",
            ),
            (
                "eio simulate --sweep --plot train.png",
                "--plot: \"train.png\": expected a name that ends in .svg [eio simulate]",
            ),
            (
                "eio simulate --sweep --intervals 5s,10",
                "--intervals: \"10\": the unit is missing: expected ms, s, m or h, as in 10s or 10ms [eio simulate]",
            ),
            (
                "eio simulate --sessions 0",
                "--sessions: \"0\": expected a number of sessions from 1 to 1000000 [eio simulate]",
            ),
            (
                "eio simulate --seed x",
                "--seed: \"x\": expected a whole number from 0 to 18446744073709551615 [eio simulate]",
            ),
            ("eio simulate --csv --json", "--csv cannot be combined with --json [eio simulate]"),
            (
                "eio simulate --scenario a.toml --tunnel 30s/5m",
                "--scenario cannot be combined with --tunnel [eio simulate]",
            ),
        ] {
            assert_eq!(sentence(line), expected);
        }
    }

    #[test]
    fn what_was_meant_is_named() {
        for (line, expected) in [
            (
                "eio serve --interval 5s",
                "unknown option --interval; did you mean --ping-interval? [eio serve]",
            ),
            ("eio serve -p 80", "unknown option -p; did you mean --port? [eio serve]"),
            ("eio --port 80", "unknown option --port; did you mean eio serve --port? [eio]"),
            (
                "eio simulate --timeout 5s",
                "unknown option --timeout; did you mean --ping-timeout? [eio simulate]",
            ),
            (
                "eio serve --host 0.0.0.0",
                "--host: \"0.0.0.0\": no client uses this host name: to listen on every address, use --listen \
                 0.0.0.0:3000 [eio serve]",
            ),
            (
                "eio simulate --stall 3s/1m",
                "unknown option --stall; did you mean --server-stall? [eio simulate]",
            ),
            ("eio serve --port 80 --unix s", "--port cannot be combined with --unix [eio serve]"),
            ("eio serve --port 99999", "--port: \"99999\": expected a port from 0 to 65535 [eio serve]"),
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
