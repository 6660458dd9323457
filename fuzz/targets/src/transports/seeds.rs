//! Lives of a session that upgrades, step by step, and what may come in between.

/// The steps, as `Life::step` numbers them.
const ADVANCE: u8 = 0;
const TO_DEADLINE: u8 = 1;
const WAKE: &[u8] = &[2];
const POLL: &[u8] = &[3, 0];
const POLL_ABORTED: &[u8] = &[4];
const POLL_ANSWERED: &[u8] = &[5];
const ANSWER: &[u8] = &[6, 0];
const ADD_WEBSOCKET: &[u8] = &[11];
const WEBSOCKET_ENDS: &[u8] = &[14, 0];
const WRITE: &[u8] = &[15];
const CLOSE: &[u8] = &[16];
const QUEUE: &[u8] = &[17, 0];
const PAUSE: &[u8] = &[18];
const RESUME: &[u8] = &[19];

/// Frames of the client.
const PROBE: &[u8] = &[13, 0];
const UPGRADE: &[u8] = &[13, 1];
const PONG: &[u8] = &[13, 2];
const PING: &[u8] = &[13, 3];
const MESSAGE: &[u8] = &[13, 4];
const NOOP: &[u8] = &[13, 6];

/// A post of a message, to its answer.
const POST: &[u8] = &[7, 0, 2, b'4', b'x', 8, 10, 1];

/// A bit more than a tenth of a second: then, a waiting poll is released.
const TENTH: &[u8] = &[ADVANCE, 17, 2];

/// The deadline is due in a microsecond, is due, and has been due for a microsecond.
const DUE: [&[u8]; 3] = [&[TO_DEADLINE, 0, 2], &[TO_DEADLINE, 1, 2], &[TO_DEADLINE, 2, 2]];

/// An upgrade, as clients make it.
const COMMON: [&[u8]; 10] =
    [POLL, ADD_WEBSOCKET, PROBE, WRITE, TENTH, ANSWER, POLL_ANSWERED, UPGRADE, WRITE, MESSAGE];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let between = [
        PAUSE,
        RESUME,
        CLOSE,
        POST,
        WEBSOCKET_ENDS,
        NOOP,
        PING,
        PONG,
        QUEUE,
        POLL,
        POLL_ABORTED,
        UPGRADE,
        WAKE,
        DUE[0],
        DUE[1],
        DUE[2],
    ];
    for (number, (at, between)) in (0..COMMON.len()).flat_map(|at| between.map(|step| (at, step))).enumerate()
    {
        // Each step at each place, with one of the settings.
        let mut life = settings(number);
        life.extend(COMMON[..at].concat());
        life.extend(between);
        life.extend(COMMON[at..].concat());
        life.extend([QUEUE, WRITE, DUE[1], WRITE, PONG, DUE[1], WRITE, DUE[1]].concat());
        seeds.push(life);
    }
    for number in 0..48 {
        // Silence in the middle of an upgrade, and the end of one that goes on with polls.
        let mut life = settings(number);
        life.extend(COMMON[..=number % COMMON.len()].concat());
        life.extend(DUE[number % 3].repeat(8));
        life.extend([WEBSOCKET_ENDS, QUEUE, POLL, ANSWER, POLL_ANSWERED, POST].concat());
        life.extend(DUE[1].repeat(6));
        seeds.push(life);
    }
    seeds
}

/// The revision, the liveness, whether the client takes base64 only, the heartbeat, the timeout of upgrades, and polling.
fn settings(number: usize) -> Vec<u8> {
    let digit = |base: usize, below: usize| u8::try_from(number / base % below).expect("small");
    vec![digit(1, 2), digit(2, 3), digit(5, 2), digit(3, 4), digit(7, 4), 0]
}
