//! The names of members: as users write them, and what is wrong with unknown ones.

use core::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

use eio_core::settings::ServerSettings;

/// Reads a struct whose members may be named in several ways.
///
/// It asks for a map, not for a struct: a deserializer may hide the keys that a struct does not list, and a misspelled
/// setting must not be ignored. The struct then sees each member under the name that it declares, once.
pub(super) struct Named<D>(pub(super) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Named<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(TableVisitor { fields, visitor })
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct TableVisitor<V> {
    fields: &'static [&'static str],
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for TableVisitor<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Table { map, fields: self.fields, seen: Vec::new() })
    }
}

/// The members of a table under the names that the struct declares.
struct Table<A> {
    map: A,
    fields: &'static [&'static str],
    /// The members so far: the declared name, and the name in the file.
    seen: Vec<(&'static str, String)>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Table<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let name = self.map.next_key_seed(NameSeed { fields: self.fields, seen: &mut self.seen })?;
        name.map(|name| seed.deserialize(name.into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// Reads a name, and returns the one that the struct declares.
struct NameSeed<'a> {
    fields: &'static [&'static str],
    seen: &'a mut Vec<(&'static str, String)>,
}

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_> {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a setting")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<&'static str, E> {
        let Some(declared) = declared(name, self.fields) else {
            return Err(E::custom(Unknown { name, fields: self.fields }));
        };
        match self.seen.iter().find(|(before, _)| *before == declared) {
            None => {}
            Some((_, before)) if before == name => {
                return Err(E::custom(format_args!("`{name}` is given twice: expected it once")));
            }
            Some((_, before)) => {
                return Err(E::custom(format_args!(
                    "`{before}` and `{name}` are two names of one setting: expected one of them"
                )));
            }
        }
        self.seen.push((declared, name.to_owned()));
        Ok(declared)
    }
}

/// Further names of members, as the reference server and the setters call them.
const ALIASES: [(&str, &str); 5] = [
    ("eio3", "allowEIO3"),
    ("allowEio3", "allowEIO3"),
    ("maxHttpBufferSize", "maxPayload"),
    ("httpCompression", "compression"),
    ("origin", "origins"),
];

/// Returns the declared name of a member.
fn declared(name: &str, fields: &'static [&'static str]) -> Option<&'static str> {
    let is_spelling_of = |known: &str| name == known || name == with_underscores(known);
    let alias = ALIASES.into_iter().find(|(alias, _)| is_spelling_of(alias)).map(|(_, member)| member);
    fields.iter().copied().find(|field| is_spelling_of(field) || alias == Some(*field))
}

/// Returns `ping_interval` for `pingInterval`, and `allow_eio3` for `allowEIO3`.
fn with_underscores(name: &str) -> String {
    let mut spelled = String::with_capacity(name.len() + 4);
    let mut after_capital = true;
    for c in name.chars() {
        if c.is_ascii_uppercase() && !after_capital {
            spelled.push('_');
        }
        after_capital = c.is_ascii_uppercase();
        spelled.push(c.to_ascii_lowercase());
    }
    spelled
}

/// Names that users bring from elsewhere, and what to write instead.
const ELSEWHERE: [(&str, &str); 15] = [
    ("heartbeat", "write `pingInterval` and `pingTimeout`"),
    ("origins", "write `allowedOrigins`, or `cors` with its member `origins`"),
    ("resource", "write `path`"),
    ("authorization", "it is a function, not data: set `allow_request` on the builder"),
    ("corsAllowedOrigins", "write `cors` with its member `origins`"),
    ("corsCredentials", "write `cors` with its member `credentials`"),
    ("compressionMethods", "write `compression`: the client chooses between gzip and deflate"),
    ("perMessageDeflate", "this server does not compress WebSocket messages: leave it out"),
    ("wsEngine", "this server has one implementation of WebSocket: leave it out"),
    ("allowRequest", "it is a function, not data: set `allow_request` on the builder"),
    ("host", "the application binds the listener, and the settings do not contain its address"),
    ("port", "the application binds the listener, and the settings do not contain its address"),
    ("listen", "the application binds the listener, and the settings do not contain its address"),
    ("http2", "this program is built without the feature `http2` of eio-tokio"),
    ("compression", "this program is built without the feature `compression` of eio-tokio"),
];

/// The sentence about an unknown name.
struct Unknown<'a> {
    name: &'a str,
    fields: &'static [&'static str],
}

impl fmt::Display for Unknown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        // Not a member of `cors` or another table.
        let is_setting = self.fields.contains(&"pingInterval");
        let mut elsewhere = ELSEWHERE.iter().filter(|_| is_setting);
        if let Some((_, advice)) =
            elsewhere.find(|(known, _)| *known == name || with_underscores(known) == name)
        {
            return write!(f, "unknown member `{name}`: {advice}");
        }
        if is_setting && let Err(Asked::Answer(sentence)) = ask_the_core(name) {
            return f.write_str(&sentence);
        }
        write!(f, "unknown member `{name}`: ")?;
        if let Some(field) = nearest(name, self.fields) {
            return write!(f, "did you mean `{field}`?");
        }
        f.write_str("expected one of ")?;
        for (index, field) in self.fields.iter().enumerate() {
            write!(f, "{}`{field}`", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Returns the member whose name is most like `name`, if that is likely to be meant.
fn nearest(name: &str, fields: &'static [&'static str]) -> Option<&'static str> {
    let plain = |name: &str| name.replace(['-', '_', ' '], "").to_ascii_lowercase();
    let typed = plain(name);
    let distance = |field: &&str| strsim::damerau_levenshtein(&typed, &plain(field));
    let nearest = fields.iter().copied().min_by_key(distance)?;
    (distance(&nearest) <= typed.len() / 3).then_some(nearest)
}

/// Asks the core about a name. It knows the old names of Socket.IO, and says what to write instead of each.
fn ask_the_core(name: &str) -> Result<ServerSettings, Asked> {
    let one = core::iter::once((name, 0_u32));
    ServerSettings::deserialize(MapDeserializer::<_, Asked>::new(one))
}

/// The core's answer.
#[derive(Debug)]
enum Asked {
    Unknown,
    Answer(String),
}

impl Error for Asked {
    fn custom<T: fmt::Display>(sentence: T) -> Self {
        Self::Answer(sentence.to_string())
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self::Unknown
    }
}

impl core::error::Error for Asked {}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Answer(sentence) => f.write_str(sentence),
        }
    }
}
