//! The option that somebody meant who typed an unknown one.

use clap::Command;

use crate::nearest::nearest;

/// Names that options have in other tools, and ours.
const ELSEWHERE: &[(&str, &str)] = &[
    ("--interval", "--ping-interval"),
    ("--heartbeat", "--ping-interval"),
    ("--heartbeat-interval", "--ping-interval"),
    ("--timeout", "--ping-timeout"),
    ("--timeout", "--for"),
    ("--heartbeat-timeout", "--ping-timeout"),
    ("--bind", "--listen"),
    ("--address", "--listen"),
    ("--addr", "--listen"),
    ("-p", "--port"),
    ("-c", "--config"),
    ("--config-file", "--config"),
    ("--settings", "--config"),
    ("--socket", "--unix"),
    ("--threads", "--workers"),
    ("--origin", "--cors"),
    ("--origins", "--cors"),
    ("--allow-origin", "--cors"),
    ("--allowed-origins", "--cors"),
    ("--max-http-buffer-size", "--max-payload"),
    ("--max-size", "--max-payload"),
    ("--allow-eio3", "--eio3"),
    ("--cacert", "--ca"),
    ("-k", "--insecure"),
    ("-H", "--header"),
    ("-x", "--proxy"),
    ("--namespace", "--socketio"),
    ("--eio-version", "--eio"),
    ("--duration", "--for"),
    ("--latency", "--rtt"),
    ("--delay", "--rtt"),
    ("--packet-loss", "--loss"),
    ("--outage", "--tunnel"),
    ("--stall", "--server-stall"),
    ("--clients", "--sessions"),
    ("--svg", "--plot"),
    ("--output", "--plot"),
];

/// Returns the option of `command` that `typed` means. For the whole program, returns the option with its command.
pub(super) fn option(typed: &str, command: &Command) -> Option<String> {
    if let Some(option) = of_command(typed, command) {
        return Some(option);
    }
    let mut commands = command.get_subcommands();
    commands.find_map(|sub| {
        of_command(typed, sub).map(|option| format!("{} {} {option}", command.get_name(), sub.get_name()))
    })
}

fn of_command(typed: &str, command: &Command) -> Option<String> {
    let options: Vec<String> =
        command.get_arguments().filter_map(|option| Some(format!("--{}", option.get_long()?))).collect();
    let is_option = |name: &str| options.iter().any(|option| option == name);
    // What may be typed, and the option that it means.
    let own = options.iter().map(|option| (option.as_str(), option.as_str()));
    let names: Vec<(&str, &str)> =
        own.chain(ELSEWHERE.iter().copied().filter(|(_, ours)| is_option(ours))).collect();
    let nearest = || nearest(typed, names.iter().map(|(name, _)| *name).filter(|name| name.len() > 2));
    let name = names.iter().map(|(name, _)| *name).find(|name| *name == typed).or_else(nearest)?;
    names.iter().find(|(known, _)| *known == name).map(|(_, ours)| (*ours).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::commands;

    #[test]
    fn every_name_from_elsewhere_leads_to_an_option_and_is_none_itself() {
        let program = commands();
        for (typed, ours) in ELSEWHERE {
            let leads =
                program.get_subcommands().any(|command| of_command(typed, command).as_deref() == Some(ours));
            assert!(leads, "{typed}");
            let long = typed.trim_start_matches('-');
            let taken = program.get_subcommands().any(|command| {
                command.get_arguments().any(|option| option.get_long() == Some(long))
                    && command.get_arguments().any(|option| option.get_long() == ours.strip_prefix("--"))
            });
            assert!(!taken, "{typed} is an option of a command that has {ours}");
        }
    }

    #[test]
    fn an_option_is_found_by_its_spelling_and_in_another_command() {
        let program = commands();
        let serve = program.find_subcommand("serve").unwrap();
        for (typed, meant) in [
            ("--ping-intervall", Some("--ping-interval")),
            ("--pingInterval", Some("--ping-interval")),
            ("--lisen", Some("--listen")),
            ("--interval", Some("--ping-interval")),
            ("--timeot", Some("--ping-timeout")),
            ("-z", None),
            ("--frobnicate", None),
        ] {
            assert_eq!(option(typed, serve).as_deref(), meant, "{typed}");
        }
        assert_eq!(option("--port", &program).as_deref(), Some("eio serve --port"));
        assert_eq!(option("--rtt", &program).as_deref(), Some("eio simulate --rtt"));
    }
}
