//! What reading and writing a packet allocates.

use allocation_counter::AllocationInfo;
use bytes::BytesMut;
use bytestring::ByteString;
use eio_socketio::{Args, Binary, Body, DefaultParser, Packet, Parser, RawArgs};
use eio_tokio::Message;

/// Runs `action` once before, so that what is allocated once is there, and measures it.
fn allocated(mut action: impl FnMut()) -> AllocationInfo {
    action();
    allocation_counter::measure(action)
}

/// A message as a connection receives it: a part of a shared buffer.
fn received(text: &str) -> Message {
    let mut buffer = BytesMut::from(text);
    let text = buffer.split().freeze();
    Message::Text(ByteString::try_from(text).expect("text"))
}

#[test]
fn an_event_that_arrives_allocates_nothing_until_its_handler_wants_text() {
    let mut decoder = DefaultParser.decoder();
    for (text, expected) in [(r#"2["reading",21.5]"#, 1), (r#"2/chat,7["reading",21.5,[1,2],{}]"#, 3)] {
        let message = received(text);
        let found = allocated(|| {
            let packet = decoder.decode(message.clone()).expect("a packet").expect("whole");
            let Body::Event { args, .. } = packet.body else { unreachable!() };
            assert_eq!(args.first::<f64>(), Ok(21.5));
            assert_eq!(args.all::<(f64,)>(), Ok((21.5,)));
            assert_eq!(args.len(), expected);
        });
        assert_eq!(found.count_total, 0, "{text}");
    }
}

#[test]
fn an_event_is_written_in_one_allocation_whoever_receives_it() {
    let args = RawArgs::new(Args(("hello", 7))).expect("JSON");
    let packet = Packet::event("/chat", "message", args);
    let found = allocated(|| drop(DefaultParser.encode(&packet)));
    assert_eq!(found.count_total, 1);
    assert_eq!(found.bytes_total, r#"2/chat,["message","hello",7]"#.len() as u64);
}

#[test]
fn binary_data_is_never_copied() {
    let image = Binary::from(vec![7; 1_000_000]);
    let mut decoder = DefaultParser.decoder();
    let found = allocated(|| {
        let packet = Packet::event("/", "image", RawArgs::new(&image).expect("JSON"));
        let mut read = None;
        for message in DefaultParser.encode(&packet).expect("a packet").into_messages() {
            read = decoder.decode(message).expect("a packet");
        }
        let Some(Packet { body: Body::Event { args, .. }, .. }) = read else { unreachable!() };
        assert_eq!(args.first::<Binary>().expect("binary").len(), 1_000_000);
    });
    assert!(found.bytes_total < 2_000, "{found:?}");
}
