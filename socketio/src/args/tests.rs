//! What is written, read as what it was meant to be.

#[cfg(feature = "server")]
mod memory;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::*;
use crate::value::Binary;

fn json(args: impl IntoArgs) -> String {
    RawArgs::new(args).unwrap().to_json().unwrap().0.to_string()
}

/// Arguments that arrived as this text with these attachments.
fn arrived(list: &str, attachments: &[&[u8]]) -> RawArgs {
    let attachments = attachments.iter().map(|bytes| Bytes::copy_from_slice(bytes)).collect();
    RawArgs::from_json(ByteString::from(list), attachments)
}

/// The same arguments in each form: as text, as text with an attachment, and as values.
fn each_form(list: &str) -> [RawArgs; 3] {
    let text = arrived(list, &[]);
    let values = RawArgs::from_values(text.values().unwrap());
    [text, arrived(list, &[b"unused"]), values]
}

#[derive(Serialize)]
struct Nothing;

#[test]
fn a_value_is_one_argument_and_args_are_one_for_each_member() {
    assert_eq!(json("a"), r#""a""#);
    assert_eq!(json(("a", 1)), r#"["a",1]"#);
    assert_eq!(json(vec![1, 2]), "[1,2]");
    assert_eq!(json(None::<u8>), "null");
    let nothing = &();
    assert_eq!(json(nothing), "null");
    assert_eq!(json(Args(("a", 1))), r#""a",1"#);
    assert_eq!(json(Args(vec![1, 2])), "1,2");
    assert_eq!(json(Args(((1, 2),))), "[1,2]");
    assert_eq!(json(RawArgs::new(Args((1, 2))).unwrap()), "1,2");
}

#[test]
fn arguments_are_shown_as_they_travel() {
    for args in each_form(r#""a",{"b":[1.5,null]}"#) {
        assert_eq!(args.to_string(), r#"["a",{"b":[1.5,null]}]"#);
    }
    let binary = r#"[{"_placeholder":true,"num":0}]"#;
    assert_eq!(RawArgs::new(Binary::from(&b"x"[..])).unwrap().to_string(), binary);
    assert_eq!(RawArgs::from_values([Value::Binary(b"x"[..].into())]).to_string(), binary);
    assert_eq!(RawArgs::none().to_string(), "[]");
}

#[test]
fn values_without_a_size_are_no_argument() {
    for args in [
        RawArgs::new(()),
        RawArgs::new(Nothing),
        RawArgs::new(Args(())),
        RawArgs::new(Args([0_u8; 0])),
        Ok(RawArgs::none()),
        Ok(RawArgs::from_values([])),
    ] {
        let args = args.unwrap();
        assert!(args.is_empty());
        assert_eq!((args.len(), args.byte_len()), (0, 0));
        assert_eq!(args.values(), Ok(Vec::new()));
    }
    assert_eq!(RawArgs::new([0_u8; 0]).unwrap().len(), 1, "an empty list is a list");
}

#[test]
fn args_of_one_value_are_refused() {
    assert_eq!(RawArgs::new(Args(5)), Err(EncodeError::NotASequence));
    assert_eq!(RawArgs::new(Args("text")), Err(EncodeError::NotASequence));
    assert_eq!(RawArgs::new(Args(BTreeMap::from([("a", 1)]))), Err(EncodeError::NotASequence));
}

#[test]
fn values_that_json_cannot_express_are_refused_with_the_reason() {
    let error = RawArgs::new(BTreeMap::from([(vec![1], 2)])).unwrap_err();
    assert_eq!(error.to_string(), "the argument cannot be written: key must be a string");
}

#[test]
fn a_missing_argument_is_read_as_null() {
    for args in each_form("") {
        assert_eq!(args.first::<Option<u8>>(), Ok(None));
        assert_eq!(args.first::<()>(), Ok(()));
        assert_eq!(args.all::<(Option<u8>, Option<u8>)>(), Ok((None, None)));
        let error = args.first::<u8>().unwrap_err();
        assert_eq!(error.to_string(), "argument 1 is missing: invalid type: null, expected u8");
        assert!(error.is_missing());
    }
}

#[derive(Debug, PartialEq, Deserialize)]
struct Named {
    text: String,
    number: u8,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Pair(String, u8);

#[test]
fn all_arguments_are_read_as_any_sequence() {
    for args in each_form(r#"  "a" , 1 "#) {
        assert_eq!(args.len(), 2);
        assert_eq!(args.first::<String>(), Ok("a".to_owned()));
        assert_eq!(args.all::<(String, u8)>(), Ok(("a".to_owned(), 1)));
        assert_eq!(args.all::<Pair>(), Ok(Pair("a".to_owned(), 1)));
        assert_eq!(args.all::<Named>(), Ok(Named { text: "a".to_owned(), number: 1 }));
        assert_eq!(args.all::<Vec<Value>>(), Ok(vec![Value::from("a"), Value::from(1)]));
        assert_eq!(args.all::<Option<Pair>>(), Ok(Some(Pair("a".to_owned(), 1))));
        assert_eq!(args.all::<()>(), Ok(()));
    }
}

#[test]
fn a_tuple_ignores_further_arguments_and_reads_null_for_missing_ones() {
    for args in each_form("1,2,3") {
        assert_eq!(args.all::<(u8,)>(), Ok((1,)));
        assert_eq!(args.all::<[u8; 2]>(), Ok([1, 2]));
        assert_eq!(args.all::<(u8, u8, u8, Option<u8>)>(), Ok((1, 2, 3, None)));
        assert_eq!(args.all::<Vec<u8>>(), Ok(vec![1, 2, 3]));
        let error = args.all::<(u8, u8, u8, u8)>().unwrap_err();
        assert_eq!(error.to_string(), "argument 4 is missing: invalid type: null, expected u8");
    }
}

#[test]
fn errors_say_which_argument_and_what_was_expected() {
    for args in each_form(r#"1,"two""#) {
        let error = args.all::<(u8, u8)>().unwrap_err();
        assert_eq!((error.argument(), error.is_missing()), (Some(1), false));
        assert_eq!(error.to_string(), r#"argument 2: invalid type: string "two", expected u8"#);

        let error = args.first::<String>().unwrap_err();
        assert_eq!(error.to_string(), "argument 1: invalid type: integer `1`, expected a string");

        let error = args.all::<u8>().unwrap_err();
        assert_eq!(error.argument(), None);
        assert_eq!(error.to_string(), "invalid type: sequence, expected u8");
    }
}

#[test]
fn a_string_is_added_after_the_other_arguments() {
    for (list, with_string) in [("", r#""a\"b""#), ("1", r#"1,"a\"b""#)] {
        for mut args in each_form(list) {
            let before = args.clone();
            args.push_string("a\"b");
            assert_eq!(*args.to_json().unwrap().0, with_string);
            assert_eq!(args.attachments(), before.attachments());
            assert!(args.byte_len() > before.byte_len());
        }
    }
}

/// Bytes of a type that is not ours.
struct Plain(&'static [u8]);

impl Serialize for Plain {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

#[derive(Serialize)]
enum Shape {
    Image { layers: Vec<(u8, Plain)> },
}

#[test]
fn bytes_at_any_depth_become_attachments_in_the_order_of_their_placeholders() {
    let shape = Shape::Image { layers: vec![(1, Plain(b"one")), (2, Plain(b"two"))] };
    let args = RawArgs::new(Args((shape, Binary::from(&b"three"[..])))).unwrap();
    assert_eq!(
        *args.to_json().unwrap().0,
        concat!(
            r#"{"Image":{"layers":[[1,{"_placeholder":true,"num":0}],[2,{"_placeholder":true,"num":1}]]}},"#,
            r#"{"_placeholder":true,"num":2}"#,
        )
    );
    assert_eq!(args.attachments(), [&b"one"[..], b"two", b"three"]);
    assert_eq!(args.byte_len(), args.to_json().unwrap().0.len() + 11);
}

#[test]
fn shared_bytes_are_not_copied_on_their_way_out_or_in() {
    let bytes = Bytes::from(vec![7; 1000]);
    let value = Value::from_iter([("a", Value::from(bytes.clone()))]);
    for args in [
        RawArgs::new(BTreeMap::from([("a", Binary(bytes.clone()))])),
        RawArgs::new(&value),
        Ok(arrived(r#"{"a":{"_placeholder":true,"num":0}}"#, &[])).map(|mut args: RawArgs| {
            args.attach(vec![bytes.clone()]);
            args
        }),
        Ok(RawArgs::from_values([value.clone()])),
    ] {
        let args = args.unwrap();
        let (_, attachments) = args.to_json().unwrap();
        assert_eq!(attachments[0].as_ptr(), bytes.as_ptr());
        let read: BTreeMap<String, Binary> = args.first().unwrap();
        assert_eq!(read["a"].as_ptr(), bytes.as_ptr());
        let read: Value = args.first().unwrap();
        assert_eq!(
            read.get("a").and_then(Value::as_binary).map(|bytes| bytes.as_ptr()),
            Some(bytes.as_ptr())
        );
    }
    // What is not lent is copied, even while something else is.
    let plain = RawArgs::new(Plain(b"plain")).unwrap();
    assert_eq!(plain.attachments(), [&b"plain"[..]]);
}

#[derive(Debug, PartialEq, Deserialize)]
struct Second {
    second: Binary,
}

#[test]
fn a_placeholder_takes_the_attachment_of_its_number_whatever_is_read_before() {
    let args = arrived(
        r#"{"first":{"_placeholder":true,"num":1},"second":{"num":0,"x":[],"_placeholder":true}}"#,
        &[b"zero", b"one"],
    );
    // The field that comes first is not read at all.
    assert_eq!(args.first(), Ok(Second { second: Binary::from(&b"zero"[..]) }));

    let twice = arrived(r#"{"_placeholder":true,"num":1},{"_placeholder":true,"num":1}"#, &[b"zero", b"one"]);
    let one = Binary::from(&b"one"[..]);
    assert_eq!(twice.all(), Ok((one.clone(), one)));
}

#[test]
fn a_placeholder_means_nothing_in_a_packet_without_attachments() {
    let args = arrived(r#"{"_placeholder":true,"num":0}"#, &[]);
    let object = Value::from_iter([("_placeholder", Value::from(true)), ("num", Value::from(0))]);
    assert_eq!(args.values(), Ok(vec![object]));
    // Neither does one that is not marked by `true`.
    let args = arrived(r#"{"_placeholder":1,"num":0}"#, &[b"zero"]);
    assert_eq!(args.first::<Value>().unwrap().get("num"), Some(&Value::from(0)));
}

#[test]
fn errors_do_not_name_the_types_of_the_program() {
    #[derive(Debug, Deserialize)]
    struct Login {
        #[expect(dead_code, reason = "it is only read")]
        name: String,
    }
    #[derive(Debug, Deserialize)]
    struct Pair(
        #[expect(dead_code, reason = "it is only read")] u8,
        #[expect(dead_code, reason = "it is only read")] u8,
    );
    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        A {},
    }
    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    enum Either {
        A {},
    }
    fn problem<T: DeserializeOwned + std::fmt::Debug>(list: &str) -> [String; 3] {
        each_form(list).map(|args| args.first::<T>().unwrap_err().to_string())
    }
    let same = |text: &str| [text; 3].map(str::to_owned);
    assert_eq!(problem::<Login>("7"), same("argument 1: invalid type: integer `7`, expected an object"));
    assert_eq!(
        problem::<Login>("[]"),
        same("argument 1: invalid length 0, expected an object with 1 element")
    );
    assert_eq!(problem::<Login>("{}"), same("argument 1: missing field `name`"));
    assert_eq!(problem::<Pair>("true"), same("argument 1: invalid type: boolean `true`, expected a list"));
    assert_eq!(problem::<Tagged>("7"), same("argument 1: invalid type: integer `7`, expected an object"));
    assert_eq!(problem::<Either>("7"), same("argument 1: data did not match any variant"));
    let mimic = r#"", expected struct Login""#;
    assert_eq!(
        problem::<u8>(mimic),
        same(r#"argument 1: invalid type: string ", expected struct Login", expected u8"#)
    );
}

#[test]
fn text_is_not_taken_for_binary_data() {
    for args in each_form(r#""text""#) {
        let error = args.first::<Binary>().unwrap_err();
        assert_eq!(error.to_string(), r#"argument 1: invalid type: string "text", expected binary data"#);
    }
    for args in each_form("[1,2]") {
        assert!(args.first::<Binary>().is_err());
    }
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Unit,
    Newtype(u8),
    Tuple(u8, u8),
    Struct { a: u8 },
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind")]
enum Tagged {
    A { x: Option<i64> },
}

#[test]
fn every_rust_type_reads_alike_from_each_form() {
    fn same<T: DeserializeOwned + PartialEq + std::fmt::Debug>(text: &str, expected: T) {
        let expected = Ok(expected);
        for args in each_form(text) {
            assert_eq!(args.first(), expected, "{text}");
        }
    }
    same(r#""unit""#, Choice::Unit);
    same(r#"{"unit":null}"#, Choice::Unit);
    same(r#"{"newtype":1}"#, Choice::Newtype(1));
    same(r#"{"tuple":[1,2]}"#, Choice::Tuple(1, 2));
    same(r#"{"struct":{"a":1,"unknown":[{}]}}"#, Choice::Struct { a: 1 });
    same(r#"{"kind":"A","x":-5}"#, Tagged::A { x: Some(-5) });
    same(r#"{"kind":"A"}"#, Tagged::A { x: None });
    same(r#"{"1":"a","2":"b"}"#, BTreeMap::from([(1_u8, 'a'), (2, 'b')]));
    same(r#"{"true":1.5}"#, BTreeMap::from([(true, 1.5_f32)]));
    same("18446744073709551615", u64::MAX);
    same("-9223372036854775808", i64::MIN);
    same("7", 7.0_f64);
    same("7", 7_i128);
    same("null", None::<Value>);
    same("[[],[null]]", vec![vec![], vec![()]]);
}

/// Lists in lists.
fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]))
}

#[test]
fn arguments_nest_as_deep_as_receivers_read_and_no_deeper() {
    assert!(RawArgs::new(nested(63)).is_ok());
    assert_eq!(RawArgs::new(nested(64)), Err(EncodeError::TooDeep));
    assert!(RawArgs::new(Args([nested(63)])).is_ok());
    assert_eq!(RawArgs::new(Args([nested(64)])), Err(EncodeError::TooDeep));
    // A placeholder is an object.
    let binary = |depth| (0..depth).fold(Value::from(Bytes::new()), |inner, _| Value::Array(vec![inner]));
    assert!(RawArgs::new(binary(62)).is_ok());
    assert_eq!(RawArgs::new(binary(63)), Err(EncodeError::TooDeep));
    // Depth is not the number of containers.
    assert!(RawArgs::new(vec![vec![nested(1); 100]; 3]).is_ok());
}

#[test]
fn json_that_is_sent_as_it_is_counts_towards_the_depth() {
    let raw = |depth| RawValue::from_string("[".repeat(depth) + &"]".repeat(depth)).unwrap();
    assert_eq!(json(raw(1)), "[]");
    assert!(RawArgs::new([[raw(61)]]).is_ok());
    assert_eq!(RawArgs::new([[raw(62)]]), Err(EncodeError::TooDeep));
}

/// Writes other arguments while it is written.
struct Nested;

impl serde::Serialize for Nested {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let inner = RawArgs::new(Args(("inner", [1, 2]))).map_err(serde::ser::Error::custom)?;
        serializer.serialize_u64(u64::try_from(inner.byte_len()).map_err(serde::ser::Error::custom)?)
    }
}

#[test]
fn arguments_may_be_written_while_others_are() {
    let args = RawArgs::new(Args(("before", Nested, "after"))).unwrap();
    assert_eq!(args.all::<(String, u64, String)>().unwrap(), ("before".to_owned(), 13, "after".to_owned()));
}

#[test]
fn what_could_not_be_written_leaves_nothing_to_the_next_arguments() {
    // A map whose keys are lists has begun when it turns out that JSON cannot express it.
    let unwritable = std::collections::BTreeMap::from([([1_u8, 2], "value")]);
    assert!(RawArgs::new(("begun", unwritable)).is_err());
    assert!(RawArgs::new(Args("not a sequence")).is_err());
    assert_eq!(RawArgs::new("next").unwrap().first::<String>().unwrap(), "next");
    let long = "x".repeat(if cfg!(miri) { 1_000 } else { 100_000 });
    assert_eq!(RawArgs::new(&long).unwrap().first::<String>().unwrap(), long);
    assert_eq!(RawArgs::new("short").unwrap().byte_len(), r#""short""#.len());
}
