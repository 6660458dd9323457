//! `eio simulate --json`.

use crate::program::Eio;

#[test]
fn simulate_prints_one_json_object() {
    let mut program = Eio::start(&["simulate", "--json", "--ping-interval", "10s", "--ping-timeout", "5s"]);
    let result: serde_json::Value = serde_json::from_str(&program.line()).unwrap();
    assert_eq!(program.exit_code(), 0);
    assert!(program.rest().is_empty());
    assert_eq!((&result["ping_interval_ms"], &result["ping_timeout_ms"]), (&10_000.into(), &5_000.into()));
    assert_eq!(result["detection"]["server"]["after_death_max_ms"], 15_000);
    assert!(result["warning"].is_null());
    let last = result["timeline"]["last"].as_array().and_then(|steps| steps.last()).unwrap();
    assert_eq!((&last["step"], &last["reason"]), (&"end".into(), &"ping timeout".into()));
}
