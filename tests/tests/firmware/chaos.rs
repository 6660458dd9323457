//! Minutes of whatever can happen, drawn from a seed.

use core::time::Duration;
use std::thread;

use eio_tests::firmware::Power;
use serde_json::json;

use crate::security::Security;
use crate::{SOON, assert_content, assert_readings_in_order, readings};

/// Chosen by fair dice; `EIO_SEED` takes another.
const SEED: u64 = 20_240_607;

#[test]
fn two_minutes_of_chaos_end_every_session_on_time_and_send_nothing_twice() {
    chaos(&Security::Tcp, Duration::from_mins(2), 5);
}

/// Chaos of this length by the board's clock, with at least so many ping timeouts.
#[expect(clippy::too_many_lines, reason = "one story")]
pub(crate) fn chaos(security: &Security, length: Duration, timeouts: usize) {
    let seed = std::env::var("EIO_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    println!("EIO_SEED={seed}");
    let mut dice = Dice(seed);
    let power = Power::on();
    let mut server = security.server("engineio", 0, 200, 150);
    let port = server.port();
    let mut board = security.board(power, port, &format!("seed={seed} backoff=50"));
    board.expect("open ", SOON);
    let mut counts = Vec::new();
    let mut deeds = [0_u32; Deed::ALL.len()];

    while board.log().last().is_none_or(|line| line.at < length) {
        dice.pause(100, 1_500);
        let deed = dice.deed();
        deeds[deed as usize] += 1;
        match deed {
            Deed::Freeze => {
                server.freeze();
                dice.pause(50, 900);
                server.thaw();
            }
            Deed::Cut => {
                board.set_line(false);
                dice.pause(50, 900);
                board.set_line(true);
            }
            Deed::Unplug => {
                board.set_plug(false);
                dice.pause(50, 900);
                board.set_plug(true);
            }
            Deed::Restart => {
                counts.extend(readings(&mut server));
                server.kill();
                dice.pause(0, 500);
                server = security.server("engineio", port, 200, 150);
            }
            Deed::Close => server.order(json!({"do": "close"})),
            Deed::Every => {
                let period = dice.below(100);
                server.order(json!({"do": "text", "text": format!("every {period}")}));
            }
            Deed::Long => server.order(json!({"do": "long binary", "length": dice.below(3_000)})),
            Deed::Upload => {
                let len = dice.below(3_000);
                server.order(json!({"do": "text", "text": format!("upload {len}")}));
            }
        }
    }

    // When it is over, the board comes back by itself.
    server.reports();
    server.order(json!({"do": "close"}));
    server.expect("open", SOON);
    server.order(json!({"do": "text", "text": "every 20"}));
    server
        .wait("a reading", SOON, |report| report["text"].as_str().is_some_and(|text| text.contains("count")));
    counts.extend(readings(&mut server));
    assert_readings_in_order(&counts);
    let ends = |reason: &str| board.seen().iter().filter(|line| line.text.ends_with(reason)).count();
    println!(
        "{deeds:?}; sessions ended by {} ping timeouts, {} transport closes, {} transport errors; {} readings",
        ends("reason=ping timeout"),
        ends("reason=transport close"),
        ends("reason=transport error"),
        counts.len(),
    );
    assert!(ends("reason=ping timeout") >= timeouts, "silence was not among it");
    assert_content(board, server);
}

/// What happens.
#[derive(Clone, Copy)]
enum Deed {
    Freeze,
    Cut,
    Unplug,
    Restart,
    Close,
    Every,
    Long,
    Upload,
}

impl Deed {
    const ALL: [Self; 8] = [
        Self::Freeze,
        Self::Cut,
        Self::Unplug,
        Self::Restart,
        Self::Close,
        Self::Every,
        Self::Long,
        Self::Upload,
    ];
}

/// Numbers from a seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    fn deed(&mut self) -> Deed {
        let index = self.below(Deed::ALL.len() as u64);
        Deed::ALL[usize::try_from(index).expect("a small number")]
    }

    #[expect(clippy::disallowed_methods, reason = "chaos takes real time on a real server")]
    fn pause(&mut self, from: u64, to: u64) {
        thread::sleep(Duration::from_millis(from + self.below(to - from)));
    }
}
