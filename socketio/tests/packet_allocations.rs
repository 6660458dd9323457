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
    let long = format!(r#"2["reading",21.5,"{}"]"#, "x".repeat(100_000));
    for (text, expected) in
        [(r#"2["reading",21.5]"#, 1), (r#"2/chat,7["reading",21.5,[1,2],{}]"#, 3), (&long, 2)]
    {
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

/// Returns how many bytes stay in memory with what an application gets of these messages, and how many of them count.
fn kept_and_counted(parser: &impl Parser, messages: impl FnOnce() -> Vec<Message>) -> (u64, u64) {
    let mut body = None;
    let found = allocation_counter::measure(|| {
        let mut decoder = parser.decoder();
        for message in messages() {
            body = decoder.decode(message).expect("a packet").map(|packet| packet.body);
        }
    });
    let counted = match body.expect("it is whole") {
        Body::Event { name, args, .. } => name.len() + args.byte_len(),
        Body::Connect(args) | Body::ConnectError(args) | Body::Ack { args, .. } => args.byte_len(),
        other => panic!("{other:?}"),
    };
    (u64::try_from(found.bytes_current).expect("it is kept"), counted as u64)
}

/// What waits for an application is limited by what its packets count.
#[test]
fn a_packet_does_not_keep_a_message_that_is_much_longer_than_what_it_counts() {
    let (spaces, letters) = (" ".repeat(100_000), "n".repeat(100_000));
    for text in [
        format!(r#"2["x",1{spaces}]"#),
        format!(r#"2[{spaces}"x",1]"#),
        format!(r#"2["x"{spaces}]"#),
        format!(r#"2/{letters},["x",1]"#),
        format!(r#"2["{}",1]"#, r"\u0041".repeat(20_000)),
        format!("37[1{spaces}]"),
        format!(r#"0{{"a":1}}{spaces}"#),
        format!(r#"4{{"message":"no"}}{spaces}"#),
    ] {
        let (kept, counted) = kept_and_counted(&DefaultParser, || vec![Message::text(text.clone())]);
        assert!(kept < counted + 1000, "{}: {kept} bytes, {counted} counted", &text[..10]);
    }
    let header = format!(r#"51-["x",{{"_placeholder":true,"num":0}}{spaces}]"#);
    let messages = || vec![Message::text(header.as_str()), Message::binary(vec![7; 50_000])];
    let (kept, counted) = kept_and_counted(&DefaultParser, messages);
    assert!(kept < counted + 1000, "{kept} bytes, {counted} counted");
}

#[cfg(feature = "msgpack")]
#[test]
fn binary_data_in_a_message_does_not_keep_members_that_mean_nothing() {
    let head = b"\x84\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1x\xc4\x01\x07\xa3pad\xc6";
    let pad = vec![0; 100_000];
    let message = [&head[..], &100_000_u32.to_be_bytes(), &pad].concat();
    let messages = || vec![Message::binary(message.clone())];
    let (kept, counted) = kept_and_counted(&eio_socketio::MsgPackParser, messages);
    assert!(kept < counted + 1000, "{kept} bytes, {counted} counted");
}

/// `MessagePack` writes in one byte what is a value of 40 here, and an empty object needs an allocation besides.
#[cfg(feature = "msgpack")]
#[test]
fn values_of_a_message_take_a_bounded_multiple_of_its_size_and_are_counted() {
    use eio_socketio::{MsgPackError, MsgPackErrorKind, MsgPackParser, ParseError};

    const COUNT: u16 = 50_000;
    let too_much = MsgPackErrorKind::TooMuchMemory;
    for (what, one, refused) in [
        ("numbers", &b"\x07"[..], false),
        ("texts", b"\xa1a", false),
        ("lists", b"\x91\x07", false),
        ("points", b"\x82\xa1x\x07\xa1y\x07", false),
        ("members", b"\x81\xa1a\x07", false),
        ("unnamed members", b"\x81\xa0\xc0", true),
        ("empty objects", b"\x80", true),
    ] {
        let list = [&b"\xdc"[..], &COUNT.to_be_bytes(), &one.repeat(COUNT.into())].concat();
        let message = [&b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1a"[..], &list].concat();
        let size = message.len() as u64;
        let message = Message::binary(message);
        let mut decoder = MsgPackParser.decoder();
        let mut read = None;
        let found = allocation_counter::measure(|| read = Some(decoder.decode(message.clone())));
        // While a list grows, its earlier memory may be there as well.
        assert!(found.bytes_max < 3 * 64 * size, "{what}: {size} bytes, {found:?}");
        match read.expect("it is read") {
            Ok(Some(Packet { body: Body::Event { args, .. }, .. })) => {
                assert!(!refused, "{what}");
                let kept = u64::try_from(found.bytes_current).expect("it is kept");
                let counted = args.byte_len() as u64;
                assert!(
                    kept * 3 / 4 < counted && counted < kept * 2,
                    "{what}: {kept} bytes, {counted} counted"
                );
                let packet = Packet::event("/", "a", args);
                let mut written = None;
                let found = allocation_counter::measure(|| written = MsgPackParser.encode(&packet).ok());
                let (kept, long) = (found.bytes_current, written.expect("written").byte_len());
                assert!(usize::try_from(kept).is_ok_and(|kept| kept < 2 * long), "{what}: {kept} for {long}");
            }
            Err(ParseError::MsgPack(MsgPackError { kind, .. })) => {
                assert!(refused && kind == too_much, "{what}");
            }
            other => panic!("{what}: {other:?}"),
        }
    }
}
