//! JSON as JavaScript sees and writes it, to compare with what reference implementations produced.

use core::fmt::Write as _;

use serde_json::{Number, Value};

/// What `JSON.stringify(value)` returns.
#[must_use]
pub fn stringify(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, &mut out);
    out
}

/// Whether two values are the same to JavaScript, whose numbers are all doubles.
#[must_use]
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Number(number) => write_number(number, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write_value(&Value::String(key.clone()), out);
                out.push(':');
                write_value(member, out);
            }
            out.push('}');
        }
        // Strings are escaped alike.
        _ => write!(out, "{value}").unwrap_or_default(),
    }
}

/// ECMA-262, `Number::toString`: digits up to 21 of them, an exponent beyond, both shortest.
fn write_number(number: &Number, out: &mut String) {
    let number = number.as_f64().unwrap_or(f64::NAN);
    let scientific = format!("{:e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number < 0.0 {
        out.push('-');
    }
    if (-6..21).contains(&exponent) {
        write!(out, "{}", number.abs()).unwrap_or_default();
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "{mantissa}e{sign}{}", exponent.abs()).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_javascript_writes_them() {
        for (text, written) in [
            (
                "[1, 1.0, -0.0, 1e21, 1e20, 123456789012345678901234]",
                "[1,1,0,1e+21,100000000000000000000,1.2345678901234569e+23]",
            ),
            ("[0.000001, 1e-7, -1.5e-9, 0.1]", "[0.000001,1e-7,-1.5e-9,0.1]"),
            (r#"{"b": 1, "a": [null, true, "é\u0001\n\"\\"]}"#, r#"{"b":1,"a":[null,true,"é\u0001\n\"\\"]}"#),
        ] {
            let value = serde_json::from_str(text).unwrap();
            assert_eq!(stringify(&value), written);
        }
    }

    #[test]
    fn numbers_compare_as_doubles() {
        let parse = |text| serde_json::from_str::<Value>(text).unwrap();
        assert!(same(&parse("[1.0,{\"a\":-0.0}]"), &parse("[1,{\"a\":0}]")));
        assert!(!same(&parse("1"), &parse("2")));
        assert!(!same(&parse("{\"a\":1}"), &parse("{\"b\":1}")));
    }
}
