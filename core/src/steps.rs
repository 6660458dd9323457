//! Machines take the steps that their models take: `tests/proof` proves rules about the models, for every time.
//!
//! A model's program prints every kind of machine that can be reached, and what each call makes of it at each time around
//! a deadline. The tests are ignored in the usual run, because they need Python: the parts `rules-proof` and
//! `every-step` run them.

extern crate std;

use core::time::Duration;
use std::io::{BufRead as _, BufReader};
use std::println;
use std::process::{Command, Stdio};
use std::string::String;
use std::vec::Vec;

use crate::time::Instant;

/// Hands each line of the model's program to `take`, and compares what it returns with what the model says.
///
/// `take` gets a constructor or a call with its arguments. A line `machine` has the fields of the machine that the next
/// calls are for.
pub(crate) fn compare(model: &str, mut take: impl FnMut(&str, &[u128]) -> String) {
    let mut program = Command::new("python3")
        .args(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/proof/steps.py")])
        .args(model.split(' '))
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is on the path");
    let mut lines = BufReader::new(program.stdout.take().unwrap());
    let (mut line, mut machine, mut machines) = (String::new(), String::new(), String::new());
    let mut steps = 0_u64;
    while lines.read_line(&mut line).unwrap() > 0 {
        let (call, expected) = line.trim_end().split_once(" -> ").expect("a whole line");
        let mut words = call.split(' ');
        let name = words.next().unwrap();
        let arguments: Vec<u128> = words.map(|word| word.parse().unwrap()).collect();
        match name {
            "machines" => machines = String::from(expected),
            "machine" => machine = String::from(call),
            _ => {}
        }
        if name != "machines" {
            assert_eq!(
                take(name, &arguments),
                expected,
                "{call} of {machine}; left is the code, right the model"
            );
            steps = steps.saturating_add(1);
        }
        line.clear();
    }
    assert!(program.wait().unwrap().success() && !machines.is_empty(), "the model's program failed");
    println!("steps: {model}: {steps} steps of {machines} kinds of machines are the same");
}

pub(crate) fn instant(micros: u128) -> Instant {
    Instant::from_micros(u64::try_from(micros).unwrap())
}

pub(crate) fn duration(micros: u128) -> Duration {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    Duration::new(u64::try_from(seconds).unwrap(), u32::try_from(fraction).unwrap().saturating_mul(1_000))
}
