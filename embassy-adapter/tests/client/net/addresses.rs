//! Names with addresses of one kind, of both kinds, and addresses where nobody is.

use core::net::IpAddr;

use eio_embassy::{Loss, State};

use super::lab::{Answer, FAR, FAR_V6, Kind, Lab, PORT, names};
use crate::fakes;

const NAME: &str = "server.example";
/// Addresses in other networks where nobody is.
const DEAD: [&str; 4] = ["192.0.2.8", "192.0.2.9", "2001:db8::8", "2001:db8::9"];

/// A board with addresses of these kinds, and a name server that knows these of the server.
fn lab(kinds: &[Kind], addresses: &[&str]) -> Lab {
    let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().expect("one")).collect();
    let mut lab = Lab::with_kinds(kinds);
    lab.meet();
    lab.listen();
    lab.serve_answers(move |name, _| {
        assert_eq!(name, NAME);
        Answer::Addresses(addresses.clone())
    });
    lab
}

/// Lets the board connect to a name. Returns how long that takes, in milliseconds, and to which address.
fn connects(lab: &mut Lab, name: &'static str) -> (u64, String) {
    let start = fakes::now() / 1_000;
    lab.start(name, PORT);
    lab.settle();
    while lab.connections() == 0 {
        assert!(fakes::now() / 1_000 < start + 60_000, "it does not connect");
        lab.pass(1);
    }
    let server = lab.accept();
    assert_eq!(names(&lab.take_states()), ["connecting", "open"]);
    (fakes::now() / 1_000 - start, lab.address(server))
}

/// Lets the board try a name. Returns how long it takes to give up, in milliseconds, and why.
fn gives_up(lab: &mut Lab, name: &'static str) -> (u64, Loss) {
    let start = fakes::now() / 1_000;
    lab.start(name, PORT);
    lab.settle();
    loop {
        match lab.take_states().pop() {
            Some((at, State::Waiting { after, .. })) => return (at - start, after),
            _ => lab.pass(1),
        }
    }
}

#[test]
fn a_board_asks_for_the_kinds_of_address_that_it_has_itself() {
    for (kinds, address) in [(&[Kind::V4][..], FAR), (&[Kind::V6], FAR_V6), (&[Kind::V4, Kind::V6], FAR_V6)] {
        let _clock = fakes::clock();
        let mut lab = lab(kinds, &[FAR, FAR_V6]);
        assert_eq!(connects(&mut lab, NAME), (0, address.to_owned()));
        let mut queries = lab.take_queries();
        queries.sort_by_key(|kind| *kind == Kind::V6);
        assert_eq!(queries, kinds);
    }
}

#[test]
fn a_board_with_both_kinds_connects_to_a_name_that_has_one() {
    for address in [FAR, FAR_V6] {
        let _clock = fakes::clock();
        let mut lab = lab(&[Kind::V4, Kind::V6], &[address]);
        assert_eq!(connects(&mut lab, NAME), (0, address.to_owned()));
    }
}

#[test]
fn a_name_without_an_address_of_the_boards_kind_is_unresolved() {
    for (kind, address) in [(Kind::V4, FAR_V6), (Kind::V6, FAR)] {
        let _clock = fakes::clock();
        let mut lab = lab(&[kind], &[address]);
        assert_eq!(gives_up(&mut lab, NAME), (0, Loss::Unresolved));
    }
}

#[test]
fn a_dead_address_leaves_half_of_the_time_for_the_others() {
    for (addresses, at, address) in [
        (&[DEAD[0], FAR][..], 5_000, FAR),
        (&[DEAD[2], FAR_V6], 5_000, FAR_V6),
        (&[FAR, DEAD[2]], 5_000, FAR),
        (&[DEAD[0], DEAD[2], FAR], 7_500, FAR),
        (&[DEAD[0], DEAD[1], DEAD[2], FAR_V6], 5_000, FAR_V6),
    ] {
        let _clock = fakes::clock();
        let mut lab = lab(&[Kind::V4, Kind::V6], addresses);
        assert_eq!(connects(&mut lab, NAME), (at, address.to_owned()), "{addresses:?}");
    }
}

#[test]
fn an_address_that_nothing_can_be_sent_to_takes_no_time() {
    let _clock = fakes::clock();
    let mut lab = lab(&[Kind::V4], &["0.0.0.0", FAR]);
    assert_eq!(connects(&mut lab, NAME), (0, FAR.to_owned()));
}

#[test]
fn all_addresses_together_take_no_longer_than_one() {
    for addresses in [&DEAD[..1], &DEAD[1..3], &DEAD] {
        let _clock = fakes::clock();
        let mut lab = lab(&[Kind::V4, Kind::V6], addresses);
        assert_eq!(gives_up(&mut lab, NAME), (10_000, Loss::Unreachable), "{addresses:?}");
    }
}

#[test]
fn a_name_server_that_never_answers_one_kind_does_not_hold_up_the_other() {
    for (silent, address) in [(Kind::V6, FAR), (Kind::V4, FAR_V6)] {
        let _clock = fakes::clock();
        let mut lab = Lab::with_kinds(&[Kind::V4, Kind::V6]);
        lab.meet();
        lab.listen();
        lab.serve_answers(move |_, kind| {
            let all = [FAR, FAR_V6].map(|address| address.parse().expect("an address"));
            if kind == silent { Answer::Silence } else { Answer::Addresses(all.to_vec()) }
        });
        assert_eq!(connects(&mut lab, NAME), (50, address.to_owned()));
    }
}

#[test]
fn a_name_server_that_never_answers_at_all_is_given_up_at_the_limit() {
    let _clock = fakes::clock();
    let mut lab = Lab::with_kinds(&[Kind::V4, Kind::V6]);
    lab.serve_answers(|_, _| Answer::Silence);
    assert_eq!(gives_up(&mut lab, NAME), (10_000, Loss::Unresolved));
}

#[test]
fn an_answer_to_one_kind_that_says_nothing_leaves_time_for_the_other() {
    let _clock = fakes::clock();
    let mut lab = Lab::with_kinds(&[Kind::V4, Kind::V6]);
    lab.serve_answers(|_, kind| match kind {
        Kind::V4 => Answer::Silence,
        Kind::V6 => Answer::NoSuchName,
    });
    assert_eq!(gives_up(&mut lab, NAME), (10_000, Loss::Unresolved));
}

#[test]
fn an_address_is_not_looked_up() {
    for (name, address) in [(FAR, FAR), (FAR_V6, FAR_V6), ("[fd00::2]", FAR_V6)] {
        let _clock = fakes::clock();
        let mut lab = lab(&[Kind::V4, Kind::V6], &[]);
        assert_eq!(connects(&mut lab, name), (0, address.to_owned()));
        assert_eq!(lab.take_queries(), []);
    }
}

#[test]
fn an_address_of_a_kind_that_the_board_lacks_has_no_route() {
    for (kind, name) in [(Kind::V4, FAR_V6), (Kind::V4, "[fd00::2]"), (Kind::V6, FAR)] {
        let _clock = fakes::clock();
        let mut lab = lab(&[kind], &[]);
        assert_eq!(gives_up(&mut lab, name), (0, Loss::NoRoute), "{name}");
        assert_eq!(lab.take_queries(), []);
    }
}
