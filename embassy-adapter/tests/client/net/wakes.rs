//! What wakes a board with embassy-net while nothing happens.

use super::lab::{FAR, Lab, PORT};
use crate::fakes;

/// I = 25 s, T = 20 s, the defaults.
const OPEN: &str =
    r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;
/// The time between a segment and its acknowledgement: the frame's way and back, and the server's stack in between.
const ACKNOWLEDGED: u64 = 20 + 20 + 10;

#[test]
fn a_heartbeat_wakes_the_board_twice_for_segments_and_twice_for_old_alarms_of_the_stack() {
    let _clock = fakes::clock();
    let mut lab = Lab::new();
    lab.listen();
    lab.start(FAR, PORT);
    lab.settle();
    lab.serve(0, |server| {
        let (_, switch) = server.request();
        server.raw(switch.as_bytes());
        server.text(OPEN);
    });
    lab.cable.set_delay(20);
    lab.pass(25_000);
    for _ in 0..3 {
        lab.take_board_wakes();
        lab.serve(0, |server| server.text("2"));
        let sent_at = fakes::now() / 1_000;
        lab.pass(25_000);
        let arrived_at = sent_at + 20;
        // The ping. The stack's delayed acknowledgement, which the pong has carried. The acknowledgement of the pong. The
        // stack's retransmission, which is not needed.
        let wakes = [0, 10, ACKNOWLEDGED, 1_000].map(|after| arrived_at + after);
        assert_eq!(lab.take_board_wakes(), wakes);
    }
}
