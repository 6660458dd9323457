//! What a peer's bytes cost: hostile input of some length, and of four times that, counted by callgrind.
//!
//! Work that grows faster than its input is what a few bytes can stop a server with. A clock would not show it on a busy
//! machine; the instructions of one program are the same on every run.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::job::{Job, Stop, failed};
use crate::parts::host::workspace_test;
use crate::programs::Programs;

/// The test program with the inputs, and the function around what is counted.
const PROGRAM: &str = "linear";
const COUNTED: &str = "linear::measured";

/// What the program prints before each count: the decoder, the shape of its input, and the input's length.
const PRINTED: &str = "linear: ";

/// Four times the input may cost 4.4 times as much: a tenth more than linear work, in thousandths of it.
const TOLERATED: u64 = 1_100;

/// A decoder that reads none of its inputs to the end costs the same for all, and was not tried.
const READ: u64 = 850;

/// What is not linear on purpose: a measure that does not notice it is none.
const CONTROL: &str = "control: not linear";
/// How the names of controls begin, which are no decoders.
const CONTROLS: &str = "control: ";

/// One input, and what it cost.
#[derive(Debug, PartialEq, Eq)]
struct Cost<'p> {
    decoder: &'p str,
    shape: &'p str,
    bytes: u64,
    instructions: u64,
}

pub(crate) fn compare(job: &mut Job<'_>) -> Result<(), Stop> {
    let mut build = workspace_test(&format!("--test {PROGRAM} --no-run"));
    let programs = Programs::build(job, &mut build)?;
    let folder = job.workspace.target.join("linear");
    let broken = |error| Stop::Failed(format!("{}: {error}", folder.display()));
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(broken)?;
    }
    fs::create_dir_all(&folder).map_err(broken)?;
    let counts = folder.join("counts");
    let printed = job.run(
        Command::new("valgrind")
            .arg("--tool=callgrind")
            .arg(format!("--callgrind-out-file={}", counts.display()))
            .args([format!("--toggle-collect={COUNTED}"), format!("--dump-after={COUNTED}")])
            .arg(programs.path(PROGRAM)?)
            .args(["--exact", "measure", "--ignored", "--nocapture", "--test-threads=1"]),
    )?;
    let costs = read(&printed, &counts)?;
    let pairs: Vec<_> = costs.chunks_exact(2).filter_map(Growth::of).collect();
    if pairs.is_empty() || 2 * pairs.len() != costs.len() {
        return failed(format!("{PROGRAM} has not printed two lengths of each input"));
    }
    let wrong = judge(&pairs);
    for worst in worst_of_each(&pairs) {
        job.note(worst.sentence());
    }
    job.note(tried(&pairs));
    if wrong.is_empty() { Ok(()) } else { failed(wrong.join("; ")) }
}

/// Brings together what the program printed and what callgrind wrote after each input: `counts.1`, `counts.2` ..
fn read<'p>(printed: &'p str, counts: &Path) -> Result<Vec<Cost<'p>>, Stop> {
    // What runs the tests may have begun a line with the name of one.
    let lines = printed.lines().filter_map(|line| line.split_once(PRINTED));
    let mut costs = Vec::new();
    for (number, (_, line)) in lines.enumerate() {
        let path = format!("{}.{}", counts.display(), number + 1);
        let text = fs::read_to_string(&path)
            .map_err(|error| Stop::Failed(format!("callgrind has not counted {line}: {path}: {error}")))?;
        let cost = cost(line, &text);
        costs.push(cost.ok_or_else(|| Stop::Failed(format!("{path} or `{line}` cannot be read")))?);
    }
    Ok(costs)
}

/// Reads a line of the program, and the number in callgrind's line `totals: 370189`.
fn cost<'p>(line: &'p str, counted: &str) -> Option<Cost<'p>> {
    let mut words = line.split('\t');
    let (decoder, shape, bytes) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
    let totals = counted.lines().find_map(|line| line.strip_prefix("totals: "))?;
    Some(Cost { decoder, shape, bytes, instructions: totals.trim().parse().ok()? })
}

/// How much more the longer input costs.
#[derive(Debug)]
struct Growth<'p> {
    decoder: &'p str,
    shape: &'p str,
    /// In thousandths of what linear work would.
    thousandths: u64,
    /// For each byte of the longer input.
    instructions: u64,
}

impl<'p> Growth<'p> {
    fn of(pair: &[Cost<'p>]) -> Option<Self> {
        let [short, long] = pair else { return None };
        let is_pair = (short.decoder, short.shape) == (long.decoder, long.shape) && short.bytes < long.bytes;
        let linear = short.instructions.checked_mul(long.bytes)?;
        let thousandths =
            long.instructions.checked_mul(1_000)?.checked_mul(short.bytes)?.checked_div(linear)?;
        let instructions = long.instructions.checked_div(long.bytes)?;
        is_pair.then_some(Self { decoder: short.decoder, shape: short.shape, thousandths, instructions })
    }

    fn sentence(&self) -> String {
        format!(
            "four times the bytes cost {}.{:03} times as much, {} instructions for a byte: {}: {}",
            self.thousandths * 4 / 1_000,
            self.thousandths * 4 % 1_000,
            self.instructions,
            self.decoder,
            self.shape
        )
    }
}

/// The steepest growth of each decoder, in their order.
fn worst_of_each<'g, 'p>(growths: &'g [Growth<'p>]) -> Vec<&'g Growth<'p>> {
    let of_one = growths.chunk_by(|one, next| one.decoder == next.decoder);
    of_one.filter_map(|growths| growths.iter().max_by_key(|growth| growth.thousandths)).collect()
}

/// How much was tried.
fn tried(growths: &[Growth<'_>]) -> String {
    let inputs = growths.iter().filter(|growth| !growth.decoder.starts_with(CONTROLS));
    let decoders = worst_of_each(growths).into_iter().filter(|worst| !worst.decoder.starts_with(CONTROLS));
    format!("{} inputs of {} decoders, each in two lengths", inputs.count(), decoders.count())
}

/// What is wrong: growth, decoders that were not tried, and a control that was not noticed.
fn judge(growths: &[Growth<'_>]) -> Vec<String> {
    let mut wrong = Vec::new();
    if !growths.iter().any(|growth| growth.decoder == CONTROL) {
        wrong.push(format!("{PROGRAM} has no `{CONTROL}`"));
    }
    for growth in growths {
        let is_steep = growth.thousandths > TOLERATED;
        if is_steep != (growth.decoder == CONTROL) {
            wrong.push(growth.sentence());
        }
    }
    for worst in worst_of_each(growths) {
        if worst.thousandths < READ {
            wrong.push(format!("no input is read to its end: {}", worst.decoder));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growth<'p>(decoder: &'p str, shape: &'p str, instructions: [u64; 2]) -> Growth<'p> {
        let [short, long] = [(10, instructions[0]), (40, instructions[1])]
            .map(|(bytes, instructions)| Cost { decoder, shape, bytes, instructions });
        Growth::of(&[short, long]).unwrap()
    }

    fn control() -> Growth<'static> {
        growth(CONTROL, "x", [100, 1_600])
    }

    #[test]
    fn a_line_and_a_count_make_a_cost() {
        let counted = "desc: Trigger: --dump-after=linear::measured\nfn=(0) x\n1 2\n\ntotals: 4711\n";
        let expected = Cost { decoder: "a decoder", shape: "its shape", bytes: 8192, instructions: 4711 };
        assert_eq!(cost("a decoder\tits shape\t8192", counted), Some(expected));
        assert_eq!(cost("a decoder\tits shape\t8192", "fn=(0) x\n"), None);
        assert_eq!(cost("a decoder\t8192", counted), None);
    }

    #[test]
    fn an_input_that_callgrind_has_not_counted_fails() {
        let nowhere = Path::new("/nowhere/counts");
        assert!(read("test measure ... linear: a\tb\t1\n", nowhere).is_err());
        assert_eq!(read("nothing", nowhere).unwrap(), []);
    }

    #[test]
    fn growth_is_compared_with_that_of_the_input() {
        assert_eq!(growth("a", "b", [100, 400]).thousandths, 1_000);
        let cost = |bytes, instructions| Cost { decoder: "a", shape: "b", bytes, instructions };
        assert_eq!(Growth::of(&[cost(10, 100), cost(50, 500)]).unwrap().thousandths, 1_000);
        assert!(Growth::of(&[cost(10, 0), cost(40, 0)]).is_none());
        let other = Cost { shape: "c", ..cost(40, 400) };
        assert!(Growth::of(&[cost(10, 100), other]).is_none());
    }

    #[test]
    fn ten_per_cent_above_linear_work_are_tolerated_and_no_more() {
        assert_eq!(judge(&[growth("a", "b", [1_000, 4_400]), control()]), [""; 0]);
        let wrong = judge(&[growth("a", "b", [1_000, 4_448]), control()]);
        assert_eq!(
            wrong,
            ["four times the bytes cost 4.448 times as much, 111 instructions for a byte: a: b"]
        );
    }

    #[test]
    fn controls_are_not_counted_among_what_was_tried() {
        let growths = ["a", "a", "b", CONTROL].map(|decoder| growth(decoder, "x", [100, 400]));
        assert_eq!(tried(&growths), "3 inputs of 2 decoders, each in two lengths");
    }

    #[test]
    fn a_decoder_that_reads_no_input_to_its_end_fails() {
        let early = || growth("a", "early", [100, 100]);
        assert_eq!(judge(&[early(), growth("a", "whole", [100, 400]), control()]), [""; 0]);
        assert_eq!(judge(&[early(), control()]), ["no input is read to its end: a"]);
    }

    #[test]
    fn a_control_that_is_missing_or_linear_fails() {
        assert_eq!(judge(&[growth("a", "b", [100, 400])]).len(), 1);
        assert_eq!(judge(&[growth(CONTROL, "x", [100, 400])]).len(), 1);
    }
}
