//! Arguments that outlive the message that they came with.

use super::*;

#[test]
fn arguments_in_their_own_memory_are_no_part_of_a_message() {
    let message = ByteString::from(format!("[1,\"{}\"", "x".repeat(1000)));
    let args = RawArgs::from_json(message.slice_ref(&message[1..2]), vec![Bytes::from_static(b"bytes")]);
    let own = args.clone().into_own_memory();
    assert_eq!(own, args);
    let is_part = |args: &RawArgs| {
        let list = args.to_json().unwrap().0.as_bytes().as_ptr();
        message.as_bytes().as_ptr_range().contains(&list)
    };
    assert!(is_part(&args) && !is_part(&own));

    let message = Bytes::from(vec![0; 1000]);
    let binary = Value::Binary(message.slice(..10));
    let nested = Value::Array(vec![Value::from(7), Value::from_iter([("key", binary)])]);
    let args = RawArgs::from_values([nested]);
    let own = args.clone().into_own_memory();
    assert_eq!((&own, own.byte_len()), (&args, args.byte_len()));
    let values = own.values().unwrap();
    let bytes = values[0].as_array().unwrap()[1].get("key").unwrap().as_binary().unwrap();
    assert!(!message.as_ptr_range().contains(&bytes.as_ptr()));
}
