//! Arguments and names that are worth sending.

use serde_json::{Value, json};

use crate::lines::{hex, text};

/// What the arguments of a row need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// JSON.
    Json,
    /// Text that is half of a surrogate pair: a program that reads it cannot hold it, one that hands it on can.
    HalfPair,
    /// Bytes.
    Binary,
}

/// What is in the arguments, their kind, and the arguments.
pub(crate) fn arguments() -> Vec<(&'static str, Kind, Value)> {
    let mut rows = plain();
    rows.extend(texts());
    rows.extend(objects());
    rows.extend(binary());
    rows
}

fn plain() -> Vec<(&'static str, Kind, Value)> {
    [
        ("no arguments", json!([])),
        ("null", json!([null])),
        ("booleans", json!([true, false])),
        ("integers", json!([0, 1, -1, 255, 65_536, -2_147_483_649_i64, 9_007_199_254_740_991_i64])),
        (
            "fractions",
            json!([0.5, -2.25, 0.1, 0.300_000_000_000_000_04, 1e-7, 5e-324, 1.797_693_134_862_315_7e308]),
        ),
        ("large numbers", json!([1e20, 1e21, -1e22, 123_456_789_012_345_680_000.0])),
        ("ten arguments of every kind", json!(["a", 1, null, true, [], {}, "", -1, [[]], { "b": 2 }])),
        ("null among others", json!([null, "a", null])),
        ("lists", json!([[], [[]], [1, [2, [3, [4]]]]])),
        ("two hundred arguments", (0..200).collect::<Value>()),
        ("a list that is sixty deep", json!([deep(json!("core"), 60, |inner| json!([inner]))])),
        ("an object that is sixty deep", json!([deep(json!("core"), 60, |inner| json!({ "in": inner }))])),
    ]
    .map(|(name, args)| (name, Kind::Json, args))
    .into()
}

fn deep(core: Value, levels: usize, wrap: fn(Value) -> Value) -> Value {
    (0..levels).fold(core, |inner, _| wrap(inner))
}

fn texts() -> Vec<(&'static str, Kind, Value)> {
    let mut rows: Vec<_> = [
        ("empty text", json!(["", ""])),
        ("text of two, three and four bytes", json!(["é ключ", "€ 漢字 ｡", "😀 𝒳 👩‍👩‍👧‍👦 e\u{301}"])),
        (
            "the first and the last of each width",
            json!(["\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}"]),
        ),
        ("control characters", json!(["\u{0}\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1b}\u{1f}"])),
        ("the separator of polling", json!(["\u{1e}", "a\u{1e}b\u{1e}", "4\u{1e}2"])),
        ("line and paragraph separators", json!([text("\u{2028}"), text("a\u{2029}\u{85}b")])),
        ("marks and noncharacters", json!(["\u{feff}\u{fffd}\u{fffe}\u{200b}\u{202e}"])),
        ("quotes and backslashes", json!(["\"", "\\", "\\\"", "\\u0041", "'`$", "/\\/"])),
        (
            "text that looks like packets",
            json!(["42[\"x\"]", "2", "2probe", "b4AQ==", "1-[", "51-[]", "0{}"]),
        ),
        (
            "text that looks like JSON",
            json!(["null", "[]", "{\"a\":1}", "\"", "{\"_placeholder\":true,\"num\":0}"]),
        ),
        ("text of a hundred thousand characters", json!(["ab😀é".repeat(25_000)])),
        ("text of three hundred thousand quotes", json!(["\"".repeat(300_000)])),
    ]
    .map(|(name, args)| (name, Kind::Json, args))
    .into();
    rows.extend(
        [
            ("the first half of a pair", json!([{ "$utf16": [0xd800] }])),
            ("the second half of a pair, in text", json!([{ "$utf16": [0x61, 0xdc00, 0x62] }])),
            ("a pair the wrong way round", json!([{ "$utf16": [0xde00, 0xd83d] }, "after it"])),
        ]
        .map(|(name, args)| (name, Kind::HalfPair, args)),
    );
    rows
}

fn objects() -> Vec<(&'static str, Kind, Value)> {
    [
        ("empty objects", json!([{}, { "a": {} }])),
        (
            "keys of every width",
            json!([{ "": 0, "é": 1, "€": 2, "😀": 3, "a b": 4, "\u{1e}": 5, "\u{0}": 6 }]),
        ),
        ("keys with quotes", json!([{ "\"": 1, "\\": 2, "a\"b": 3, ",": 4, "}": 5 }])),
        (
            "keys that JavaScript knows",
            json!([{ "constructor": 1, "toString": "x", "hasOwnProperty": true, "length": 7 }]),
        ),
        ("the key __proto__", json!([{ "__proto__": { "a": 1 } }])),
        ("keys that are numbers", json!([{ "10": "ten", "2": "two", "-1": "less" }])),
        (
            "objects like placeholders",
            json!([{ "_placeholder": true, "num": 0 }, { "_placeholder": 1, "num": 5 }]),
        ),
        (
            "a thousand members",
            json!([(0..1000).map(|n| (format!("member {n}"), n.into())).collect::<serde_json::Map<_, _>>()]),
        ),
    ]
    .map(|(name, args)| (name, Kind::Json, args))
    .into()
}

fn binary() -> Vec<(&'static str, Kind, Value)> {
    let all: Vec<u8> = (0..=255).collect();
    let long: Vec<u8> = (0..70_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    [
        ("a byte", json!([hex(&[0])])),
        ("no bytes", json!([hex(&[])])),
        ("every byte", json!([hex(&all)])),
        ("seventy thousand bytes", json!([hex(&long)])),
        ("bytes like packets", json!([hex(b"4"), hex(b"\x04\x1e"), hex(b"b4AQ==")])),
        ("bytes in a list", json!([[hex(b"a"), 1, hex(b"b")]])),
        ("bytes in an object", json!([{ "name": "a.png", "content": hex(b"\x89PNG"), "size": 4 }])),
        ("bytes three deep", json!([{ "a": [{ "b": hex(b"deep"), "c": [[hex(b"er")]] }, hex(&[])] }])),
        ("ten times bytes", json!((0..10_u8).map(|n| hex(&[n; 3])).collect::<Vec<_>>())),
        ("the same bytes twice", json!([hex(b"same"), { "again": hex(b"same") }])),
        (
            "bytes between other arguments",
            json!(["before", hex(b"x"), null, hex(b"y"), { "after": [1.5, "😀\u{1e}"] }]),
        ),
        (
            "bytes under keys of every width",
            json!([{ "": hex(b"0"), "é": hex(b"1"), "😀": { "\u{1e}": hex(b"2") } }]),
        ),
        (
            "bytes beside what is no placeholder",
            json!([hex(b"x"), { "_placeholder": false, "num": 0 }, { "num": 1 }]),
        ),
        ("bytes twenty deep", json!([deep(hex(b"z"), 20, |inner| json!([inner]))])),
    ]
    .map(|(name, args)| (name, Kind::Binary, args))
    .into()
}

/// Names of events. The others that clients reserve cannot be sent by them.
pub(crate) const NAMES: [&str; 18] = [
    "",
    "message",
    "connection",
    "a b",
    "a,b",
    "/slash",
    "\"quotes\" and \\",
    "[1]",
    "é ключ 漢字 😀",
    "\u{1e}",
    "\u{0}",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "new_namespace",
    "42",
    "a name of more than a hundred characters, which is a long name for what happens, but nobody says that it is too long",
];
