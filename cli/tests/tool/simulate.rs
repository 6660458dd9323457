//! `eio simulate`: one setting, and a sweep of many, as text, JSON, comma-separated values and pictures.

use std::time::Duration;

use serde_json::Value;

use crate::connection::Directory;
use crate::program::{Eio, lines_of};

/// A small sweep of the question in the help.
const TRAIN: [&str; 12] = [
    "simulate",
    "--tunnel",
    "30s/5m",
    "--within",
    "60s",
    "--sessions",
    "10",
    "--intervals",
    "5s,10s",
    "--timeouts",
    "20s,54s",
    "--sweep",
];

/// Returns the lines that the program prints before it ends with code 0, and nothing on standard error.
fn printed(arguments: &[&str]) -> Vec<String> {
    let mut program = Eio::start(arguments);
    let lines = program.rest();
    assert_eq!(program.exit_code_within(Duration::from_mins(2)), 0, "{}", program.errors());
    assert_eq!(program.errors(), "", "progress is shown on a terminal only");
    lines
}

fn json(arguments: &[&str]) -> Value {
    let lines = printed(&[arguments, &["--json"]].concat());
    assert_eq!(lines.len(), 1);
    serde_json::from_str(&lines[0]).unwrap()
}

/// Returns what is wrong. The program exits soon, with code 2.
fn mistake(arguments: &[&str]) -> String {
    let mut program = Eio::start(arguments);
    assert_eq!(program.exit_code(), 2);
    let errors = program.errors();
    let lines = lines_of(&errors);
    assert_eq!((lines.len(), lines[1]), (2, "Run 'eio simulate --help' to see the options"), "{errors}");
    lines[0].strip_prefix("eio: ").unwrap().to_owned()
}

#[test]
fn simulate_prints_one_json_object() {
    let result = json(&["simulate", "--ping-interval", "10s", "--ping-timeout", "5s"]);
    assert_eq!((&result["ping_interval_ms"], &result["ping_timeout_ms"]), (&10_000.into(), &5_000.into()));
    assert_eq!(result["detection"]["server"]["after_death_max_ms"], 15_000);
    assert!(result["warning"].is_null());
    let last = result["timeline"]["last"].as_array().and_then(|steps| steps.last()).unwrap();
    assert_eq!((&last["step"], &last["reason"]), (&"end".into(), &"ping timeout".into()));
}

#[test]
fn a_sweep_says_which_setting_survives_the_tunnel_and_is_in_time() {
    let result = json(&TRAIN);
    let settings = result["settings"].as_array().unwrap();
    let setting = |interval: u64, timeout: u64| {
        let is_it = |setting: &&Value| {
            setting["ping_interval_ms"] == interval && setting["ping_timeout_ms"] == timeout
        };
        settings.iter().find(is_it).unwrap()
    };
    assert_eq!(settings.len(), 4);
    assert!(setting(5_000, 20_000)["false_disconnects"].as_u64() > Some(0), "{result:#}");
    for interval in [5_000, 10_000] {
        let safe = setting(interval, 54_000);
        assert_eq!(safe["false_disconnects"], 0, "{result:#}");
        let slowest = safe["slowest_heartbeat_ms"].as_f64().unwrap();
        assert!(
            (30_000.0..54_000.0).contains(&slowest),
            "a heartbeat is late by more than the tunnel: {slowest}"
        );
    }
    let answer = &result["answer"]["cheapest"];
    assert_eq!((&answer["ping_interval_ms"], &answer["ping_timeout_ms"]), (&5_000.into(), &54_000.into()));
    assert!(answer["noticed_within_ms"].as_f64() <= Some(60_000.0));
}

#[test]
fn the_same_seed_prints_the_same_and_another_one_does_not() {
    let csv = |seed| printed(&[&TRAIN[..], &["--csv", "--seed", seed]].concat());
    let first = csv("7");
    assert_eq!(first.len(), 5);
    assert!(first[0].starts_with("ping_interval_ms,ping_timeout_ms,sessions,"), "{}", first[0]);
    assert_eq!(first, csv("7"));
    assert_ne!(first, csv("8"));
}

#[test]
fn a_picture_shows_the_answer() {
    let directory = Directory::new("pictures");
    let file = directory.file("train.svg");
    let text = printed(&[&TRAIN[..], &["--plot", &file]].concat()).join("\n");
    let words = "Ping interval 5 s, ping timeout 54 s: no false disconnect, a death is noticed within";
    assert!(text.contains(words), "{text}");
    assert!(text.contains("shortest safe timeout -> noticed within"), "{text}");
    assert!(text.contains("Times are rounded up to whole seconds."), "{text}");
    let svg = std::fs::read_to_string(&file).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
    for words in [words, "One session with a ping interval of 5 s", "ping timeout, "] {
        assert!(svg.contains(words), "{words}: {svg}");
    }
    let one = directory.file("one.svg");
    printed(&["simulate", "--plot", &one]);
    assert!(std::fs::read_to_string(&one).unwrap().contains("after the death"));
    let nowhere = directory.file("no/such/folder.svg");
    let mut program = Eio::start(&["simulate", "--sweep", "--plot", &nowhere]);
    assert_eq!(program.exit_code(), 2);
    let errors = program.errors();
    assert!(errors.starts_with(&format!("eio: --plot: cannot write {nowhere}: ")), "{errors}");
    assert_eq!(lines_of(&errors).len(), 1, "{errors}");
}

#[test]
fn a_scenario_has_fleets_of_different_kinds() {
    let directory = Directory::new("scenarios");
    let file = directory.write(
        "fleets.toml",
        "for = \"20m\"\npingInterval = \"5s\"\npingTimeout = 4000\n\n[[fleet]]\nname = \"trains\"\nsessions = 20\n\
         tunnels = [\"30s/5m\"]\ndying = \"0%\"\n\n[[fleet]]\nname = \"offices\"\nsessions = 10\nrtt = 20\n\
         serverStalls = [{ length = \"2s\", every = \"1m\", from = \"10s\", to = \"15m\" }]\n",
    );
    let result = json(&["simulate", "--scenario", &file]);
    assert_eq!(result["scenario"]["fleets"][1]["server_stalls"][0]["to_ms"], 900_000.0);
    let outcome = &result["outcome"];
    assert_eq!((&outcome["sessions"], &outcome["deaths"]), (&30.into(), &10.into()));
    assert_eq!(outcome["false_disconnects"], 20, "no train survives, and a short stall ends nothing");
    let fleets = [("trains", 20, 20, 0), ("offices", 10, 0, 10)];
    for (fleet, (name, sessions, false_ends, deaths)) in
        outcome["fleets"].as_array().unwrap().iter().zip(fleets)
    {
        assert_eq!((&fleet["name"], &fleet["sessions"]), (&name.into(), &sessions.into()));
        assert_eq!((&fleet["false_disconnects"], &fleet["deaths"]), (&false_ends.into(), &deaths.into()));
    }
    let text = printed(&["simulate", "--scenario", &file]).join("\n");
    assert!(text.contains("\n    trains              20 of 20\n    offices             0 of 10\n"), "{text}");
    let text = printed(&["simulate", "--scenario", &file, "--ping-timeout", "1m"]).join("\n");
    assert!(text.contains("0 of 30 sessions, open for"), "{text}");
}

#[test]
fn what_is_wrong_in_a_scenario_is_one_sentence_with_its_place() {
    let directory = Directory::new("mistakes");
    for (text, sentence) in [
        ("", ": there are no sessions: expected at least one [[fleet]]"),
        (
            "[[fleet]]\nrtt = \"80\"",
            ":2: fleet[0].rtt: \"80\": the unit is missing: expected ms, s, m or h, as in 80s or 80ms",
        ),
        ("[[fleet]]\n\ntunels = []", ":3: fleet[0].tunels: unknown member `tunels`: did you mean `tunnels`?"),
        ("sed = 1\n[[fleet]]", ":1: sed: unknown member `sed`: did you mean `seed`?"),
        (
            "[[fleet]]\ntunnels = [\"30s/5m\", { length = \"2s\" }]",
            ":2: fleet[0].tunnels[1]: expected `every`, or `from` for something that happens once",
        ),
        (
            "[[fleet]]\ndead = \"both\"",
            ":2: fleet[0].dead: unknown end of a session: expected client or server",
        ),
        (
            "[[fleet]]\nloss = 2",
            ":2: fleet[0].loss: invalid type: integer `2`, expected a percentage from \"0%\" to \"100%\", such as \"2%\"",
        ),
        ("eio = 5\n[[fleet]]", ":1: eio: 5: unknown protocol revision: expected 3 or 4"),
        ("pingInterval = 0\n[[fleet]]", ": pingInterval is zero"),
        ("[[fleet]]\nsessions = 0", ": there are 0 sessions: expected from 1 to 1000000"),
        ("for = \"2y\"\n[[fleet]]", ": the simulated time of 17532 h is not from 1 s to 366 days"),
        ("[[fleet]]\nname = 7", ":2: fleet[0].name: invalid type: integer `7`, expected a string"),
        (
            "seed = 'x'\n[[fleet]]",
            ":1: seed: invalid type: string \"x\", expected a whole number without quotes",
        ),
        (
            "[[fleet]]\nsessions = -5",
            ":2: fleet[0].sessions: invalid value: integer `-5`, expected a whole number without quotes, at least 0",
        ),
        (
            "[[fleet]]\nrtt = -5",
            ":2: fleet[0].rtt: invalid value: integer `-5`, expected a time such as \"80ms\", or two such as",
        ),
        ("[[fleet]]\nsessions = 5000000000", ": there are 4294967295 sessions: expected from 1 to 1000000"),
    ] {
        let file = directory.write("wrong.toml", text);
        let said = mistake(&["simulate", "--scenario", &file]);
        let said = said.strip_prefix(&file).unwrap_or(&said);
        assert!(said.starts_with(sentence), "{text}: {said}");
    }
    let file = directory.write("wrong.yaml", "fleet:\n  - tunels: []\n");
    let sentence = format!("{file}:2: fleet[0].tunels: unknown member `tunels`: did you mean `tunnels`?");
    assert_eq!(mistake(&["simulate", "--scenario", &file]), sentence);
    let file = directory.write("wrong.json", "[1, 2]");
    let said = mistake(&["simulate", "--scenario", &file]);
    assert!(said.ends_with("expected a table with the members of a scenario"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_long_simulation_shows_its_progress_on_a_terminal_and_can_be_interrupted() {
    let directory = Directory::new("interrupted");
    let picture = directory.file("long.svg");
    let script = format!(
        "timeout --signal INT 4 \"$EIO\" simulate --sessions 1000000 --for 24h --csv --plot '{picture}'; exit $?"
    );
    let mut program = Eio::start_in_terminal(&script);
    let text = program.rest().join("\n");
    assert!(text.contains("\rSimulating 1,000,000 sessions: 0 %"), "{text}");
    assert_eq!(program.exit_code(), 124, "it was still at work");
    assert!(!std::path::Path::new(&picture).exists(), "no picture without a result");
}
