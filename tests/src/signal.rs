//! Signals to processes.

use std::process::Command;

/// Sends a signal, such as `STOP`, to a process.
///
/// # Panics
/// Panics if there is no such process, or no `kill`.
pub fn send_signal(signal: &str, process: u32) {
    send(signal, &process.to_string());
}

/// Sends a signal to all processes of a group.
///
/// # Panics
/// Panics if there is no such group, or no `kill`.
pub fn send_signal_to_group(signal: &str, group: u32) {
    send(signal, &format!("-{group}"));
}

fn send(signal: &str, target: &str) {
    let sent = Command::new("kill").args([&format!("-{signal}"), "--", target]).status();
    let sent = sent.expect("there is `kill`");
    assert!(sent.success(), "kill -{signal} -- {target}: {sent}");
}
