//! Socket.IO over an in-memory connection: the server and hostile clients, and the client and hostile servers.

mod client;
mod peer;
mod server;

use crate::recordings;
use crate::script::{Script, Steps, in_virtual_time, step};

/// How scripts are read: letters of clients and of servers, which share most.
pub(crate) const STEPS: Steps =
    Steps { numbers: &[(b'h', 1), (b't', 1), (b'u', 1), (b'd', 1), (b'e', 1), (b'y', 3)], bytes: b"fbw" };

/// What scripts reach.
pub(crate) const MILESTONES: &[&str] = &["joined", "recovered"];

/// How many bytes a connection holds in each direction.
const BUFFER: usize = 2_048;

/// How many events of more than a hundred bytes are more than what is kept of them: by the two directions of a connection,
/// by its ends, by an inbox and an outbox, and by an application.
const FLOOD: usize = 500;

/// The first byte chooses which side is hostile, and the settings of the other one. The rest are steps. Whatever the hostile
/// side says, in whatever order and pieces, it receives packets that can be read, and each event is answered once at most.
/// The applications of the other side receive what was said, in order, between joining and leaving, and nothing after an
/// invalid packet. What they are made to keep is bounded. In the end everything has an end.
pub(crate) fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let Some(settings) = script.byte() else { return };
    in_virtual_time(async {
        if settings & 1 == 0 {
            Box::pin(server::story(settings, &mut script)).await;
        } else {
            Box::pin(client::story(settings, &mut script)).await;
        }
    });
}

/// Sessions in which the hostile side says what its like has said in the recordings, and a story of each side with different
/// settings.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for by_client in [true, false] {
        let frames = recordings::frames().into_iter().filter(|frame| frame.by_client == by_client);
        let said: Vec<_> =
            frames.filter_map(|frame| frame.data.to_wire().strip_prefix(b"4").map(<[u8]>::to_vec)).collect();
        for (number, said) in (0_u8..24).zip(said.chunks(4)) {
            let opens: &[u8] = if by_client { b"cf\x01\x000r" } else { b"arc\x00c\x01r" };
            let mut seed = [&[number << 1 | u8::from(!by_client)], opens].concat();
            for text in said {
                seed.extend(step(b'f', &text[..text.len().min(200)]));
                seed.push(b'r');
            }
            seeds.push(seed);
        }
    }
    for settings in (0..32).step_by(2) {
        seeds.extend(of_clients(settings));
        seeds.push(of_servers(settings | 1));
        seeds.push(of_one_that_comes_back(settings));
    }
    seeds
}

/// Texts of Socket.IO that are said.
fn said(texts: &[&[u8]]) -> Vec<u8> {
    texts.iter().flat_map(|text| step(b'f', text)).collect()
}

/// An event with an attachment.
fn attachment() -> Vec<u8> {
    [said(&[b"51-1[\"n\",3,{\"_placeholder\":true,\"num\":0}]"]), step(b'b', b"x")].concat()
}

/// Stories of hostile clients.
fn of_clients(settings: u8) -> [Vec<u8>; 2] {
    let attachment = attachment();
    let waits = [&b"2/a,[\"wait\",1]"[..]; 6];
    // Joining, events, answers, an attachment, handlers that wait, too many namespaces and rooms.
    let all = [
        &[settings][..],
        b"c",
        &said(&[b"0", b"0/a,", b"0/slow,", b"0/refused,"]),
        b"r",
        &said(&[b"2[\"n\",1]", b"27[\"n\",2]"]),
        &attachment,
        b"ra\x00\x00a\x01\x01ra\x00\x00",
        &said(&waits),
        &said(&[b"2[\"join\",\"room\"]", b"2[\"join\",\"b\"]", b"2[\"join\",\"c\"]", b"1/a,"]),
        b"rt\x0czr",
        &said(&[b"2{"]),
        b"x",
    ]
    .concat();
    // An event behind one that makes the server end the socket, a new socket, a flood, an end of the connection.
    let ends = [
        &[settings][..],
        b"c",
        &said(&[b"0"]),
        b"ra\x00\x00",
        &said(&[b"2[\"leave\"]", b"2[\"n\",9]"]),
        b"r",
        &said(&[b"0"]),
        b"rzrh\x40",
        &said(&[b"2[\"n\",10]", b"2[\"close\"]", b"2[\"n\",11]"]),
        b"r",
    ]
    .concat();
    [all, ends]
}

/// A client that misses something of what another one causes, and comes back; and once more, with a place that is none.
fn of_one_that_comes_back(settings: u8) -> Vec<u8> {
    let join = said(&[b"2[\"join\",\"room\"]"]);
    let back = said(&[b"0{\"pid\":\"{pid}\",\"offset\":\"{offset}\"}"]);
    let wrong = said(&[b"0{\"pid\":\"{pid}\",\"offset\":\"x\"}"]);
    [
        &[settings][..],
        b"c",
        &said(&[b"0"]),
        b"r",
        &join,
        b"rc",
        &said(&[b"0"]),
        b"r",
        &join,
        b"ru\x00rgt\x01u\x01",
        &join,
        b"rc",
        &back,
        b"rt\x06xc",
        &wrong,
        b"r",
    ]
    .concat()
}

/// A story of a hostile server: consent, events, answers, a pause of the application, a flood, a disconnect, another session.
fn of_servers(settings: u8) -> Vec<u8> {
    let attachment = attachment();
    [
        &[settings][..],
        b"arc\x00c\x01re\x00e\x01e\x00e\x00ry\x00\x00y\x01\x01y\x00\x00rpe\x00e\x00e\x00e\x00e\x00p",
        &attachment,
        b"zrd\x01ixarc\x00e\x00e\x00h\x03e\x00ri",
        &said(&[b"4{\"message\":\"no\"}", b"2["]),
        b"at\x0c",
    ]
    .concat()
}
