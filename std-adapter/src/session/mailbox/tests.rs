//! Tests of the mailbox.

use super::*;

#[test]
fn a_pass_that_began_before_it_was_requested_does_not_count() {
    let mut mail = Mailbox { passes_requested: u16::MAX, passes_made: u16::MAX, ..Mailbox::default() };
    mail.begin_pass(false);
    let requested = mail.request_pass();
    mail.finish_pass();
    assert!(!mail.has_made(requested) && !mail.take_woken_waiters());
    mail.begin_pass(false);
    let late = mail.request_pass();
    mail.finish_pass();
    assert!(mail.has_made(requested) && !mail.has_made(late) && mail.take_woken_waiters());
    mail.begin_pass(false);
    mail.finish_pass();
    assert!(mail.has_made(late));
}

const LIMITS: Limits = Limits { inbox_messages: 8, inbox_bytes: 100, ..Limits::DEFAULT };

/// Puts messages of these lengths into the inbox. Returns whether that filled it.
fn deliver(mail: &mut Mailbox, lens: &[usize]) -> bool {
    let mut messages = Queue::default();
    for len in lens {
        messages.push_back(Message::binary(vec![0; *len]));
    }
    mail.deliver(&mut messages, &LIMITS)
}

/// Receives a message with the lock. Returns its length, and how many more were lent.
fn receive(mail: &mut Mailbox) -> Option<(usize, usize)> {
    let mut ahead = Queue::default();
    let (Taken::Message(message) | Taken::MessageAndRoom(message)) = mail.receive(&mut ahead, &LIMITS)?;
    Some((message.len(), ahead.len()))
}

#[test]
fn a_full_inbox_stays_full_for_a_task_that_has_not_heard_of_the_room_in_between() {
    let mut mail = Mailbox::default();
    assert!(deliver(&mut mail, &[1; 8]), "the task pauses");
    while mail.is_full() {
        receive(&mut mail);
    }
    assert!(deliver(&mut mail, &[100]), "the task pauses again");
    assert!(mail.begin_pass(false).is_none(), "and would go on reading");
    while mail.is_full() {
        receive(&mut mail);
    }
    assert!(!deliver(&mut mail, &[1]), "there is room, of which the task has yet to hear");
    assert!(mail.begin_pass(false).is_some_and(|requests| requests.resume));
}

#[test]
fn no_more_than_a_quarter_of_the_inbox_is_lent_at_once() {
    let mut mail = Mailbox::default();
    deliver(&mut mail, &[1; 5]);
    let lent: Vec<_> = core::iter::from_fn(|| receive(&mut mail)).collect();
    assert_eq!(lent, [(1, 0), (1, 0), (1, 2)]);
    deliver(&mut mail, &[1, 13, 13]);
    let lent: Vec<_> = core::iter::from_fn(|| receive(&mut mail)).collect();
    assert_eq!(lent, [(1, 0), (13, 1)]);
}

#[test]
fn lent_messages_count_as_unread_until_the_application_asks_for_more() {
    let mut mail = Mailbox::default();
    deliver(&mut mail, &[10, 10, 10]);
    assert_eq!(receive(&mut mail), Some((10, 2)));
    assert!(!deliver(&mut mail, &[1; 5]), "seven messages");
    assert!(deliver(&mut mail, &[1]), "eight messages");
    assert_eq!(receive(&mut mail), Some((1, 0)), "a full inbox lends nothing");
    assert_eq!(mail.inbox_bytes, 5);

    let mut mail = Mailbox::default();
    deliver(&mut mail, &[40, 12, 12]);
    assert_eq!(receive(&mut mail), Some((40, 2)));
    assert!(!deliver(&mut mail, &[75]), "99 bytes");
    assert!(deliver(&mut mail, &[1]), "100 bytes");
    let mut ahead = Queue::default();
    let taken = mail.receive(&mut ahead, &LIMITS);
    assert!(matches!(taken, Some(Taken::MessageAndRoom(message)) if message.len() == 75));
}

#[test]
fn the_room_is_what_may_be_delivered_before_the_inbox_is_full() {
    let mut mail = Mailbox::default();
    deliver(&mut mail, &[1; 5]);
    let mut room = mail.room(&LIMITS);
    let message = |len| Message::binary(vec![0; len]);
    assert_eq!([1, 1, 1].map(|len| room.take(&message(len))), [true, true, false], "eight messages");
    let mut room = mail.room(&LIMITS);
    assert_eq!([94, 1].map(|len| room.take(&message(len))), [true, false], "100 bytes");
}

#[test]
fn reading_resumes_when_half_of_the_inbox_is_empty() {
    let mut mail = Mailbox::default();
    deliver(&mut mail, &[1; 8]);
    let full: Vec<_> = core::iter::repeat_with(|| (receive(&mut mail), mail.is_full()).1).take(4).collect();
    assert_eq!(full, [true, true, true, false], "four messages are left");
    let mut mail = Mailbox::default();
    deliver(&mut mail, &[49, 1, 50]);
    let full: Vec<_> = core::iter::repeat_with(|| (receive(&mut mail), mail.is_full()).1).take(2).collect();
    assert_eq!(full, [true, false], "50 bytes are left");
}

#[test]
fn what_arrives_after_the_application_has_gone_is_not_kept() {
    let mut mail = Mailbox::default();
    drop(mail.abandon());
    let mut messages = Queue::default();
    messages.push_back(Message::binary(vec![0; 200]));
    assert!(!mail.deliver(&mut messages, &LIMITS));
    assert_eq!((messages.len(), receive(&mut mail)), (1, None));
}

#[test]
fn a_pass_counts_for_all_who_requested_it_and_for_those_before() {
    let mut mail = Mailbox::default();
    let first = mail.request_pass();
    for _ in 0..3 {
        mail.request_pass();
        mail.begin_pass(false);
        mail.finish_pass();
        assert!(mail.has_made(first));
    }
    assert!(!mail.has_made(first.wrapping_sub(1).wrapping_sub(u16::MAX / 2)), "that is in the future");
}

#[test]
fn somebody_is_to_be_woken_whoever_else_is() {
    assert!(!Mailbox::default().has_woken());
    for flags in 1..8 {
        let [task, reader, waiters] = [1, 2, 4].map(|bit| flags & bit != 0);
        let mail = Mailbox { wake: Wake { task, reader, waiters }, ..Mailbox::default() };
        assert!(mail.has_woken(), "{:?}", mail.wake);
    }
}
