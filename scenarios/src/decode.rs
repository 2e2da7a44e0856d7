//! A [`Node`] tree becomes typed values, by serde, without losing places.
//!
//! Owns the deserializer over nodes, the place of every error and the guess at what was meant. A type asks
//! for a place with [`Located`], or for the tree itself with [`Node`]. Both travel under a name only this
//! deserializer knows; through any other (and through `flatten` or untagged enums, which buffer) they get
//! the default place. Deliberately absent: what the keys mean.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor,
};
use serde::{Serialize, Serializer};
use serde_json::Number;

use crate::diagnostic::Diagnostic;
use crate::node::{Located, Node, Span, Value};

/// The code for a key that does not exist.
pub const E_KEY: &str = "E102";
/// The code for a value of the wrong type or out of range, and for a key that is missing.
pub const E_VALUE: &str = "E103";

/// Reads a tree as a `T`; an error knows the key or value at fault.
pub fn decode<T: DeserializeOwned>(node: &Node) -> Result<T, Diagnostic> {
    T::deserialize(node).map_err(|error| *error.at(node.span).0)
}

/// The candidate most like `word`, if one is near enough to be what was meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
fn distance(a: &str, b: &str) -> usize {
    let fold = |text: &str| {
        text.chars()
            .take(80)
            .map(|c| c.to_ascii_lowercase())
            .collect::<Vec<_>>()
    };
    let (a, b) = (fold(a), fold(b));
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            next[j] = replaced.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                next[j] = next[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

/// An error that carries a whole diagnostic through serde; for hand-written `Deserialize`.
pub fn refuse<E: de::Error>(diagnostic: Diagnostic) -> E {
    let what = diagnostic.what.clone();
    REFUSED.with(|cell| *cell.borrow_mut() = Some(diagnostic));
    E::custom(what)
}

thread_local! {
    /// The diagnostic between [`refuse`] and the creation of the error it becomes.
    static REFUSED: RefCell<Option<Diagnostic>> = const { RefCell::new(None) };
}

/// A diagnostic on its way out; its place is added by the innermost value or key that knows it.
#[derive(Debug)]
pub struct DecodeError(Box<Diagnostic>);

impl DecodeError {
    fn new(code: &'static str, what: String) -> Self {
        DecodeError(Box::new(Diagnostic::new(code, what)))
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    fn at(mut self, span: Span) -> Self {
        if self.0.at.is_none() {
            let label = if self.0.code == E_KEY {
                "not known here"
            } else {
                ""
            };
            self.0.at = Some((span, label.to_owned()));
        }
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.what)
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(what: T) -> Self {
        let what = what.to_string();
        let refused = REFUSED.with(|cell| cell.borrow_mut().take());
        match refused {
            Some(diagnostic) if diagnostic.what == what => DecodeError(Box::new(diagnostic)),
            _ => DecodeError::new(E_VALUE, what),
        }
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let wanted = plain_words(&expected.to_string());
        let error = DecodeError::new(E_VALUE, format!("expected {wanted}, found {}", describe(found)));
        let scalar = matches!(
            found,
            de::Unexpected::Bool(_)
                | de::Unexpected::Unsigned(_)
                | de::Unexpected::Signed(_)
                | de::Unexpected::Float(_)
        );
        match wanted.as_str() {
            "a string" if scalar => error.help("put it in quotes to make it a string"),
            "a list" => error.help("write it as a list: `[..]`, also where it holds one thing"),
            _ => error,
        }
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let wanted = plain_words(&expected.to_string());
        DecodeError::new(E_VALUE, format!("expected {wanted}, found {}", describe(found)))
    }

    fn invalid_length(len: usize, expected: &dyn de::Expected) -> Self {
        let wanted = plain_words(&expected.to_string());
        DecodeError::new(E_VALUE, format!("expected {wanted}, found {len} entries"))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        DecodeError::new(E_KEY, format!("unknown key `{field}`")).help(choices(field, expected, "keys"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        DecodeError::new(E_VALUE, format!("`{variant}` is not one of the values here"))
            .help(choices(variant, expected, "values"))
    }

    fn missing_field(field: &'static str) -> Self {
        DecodeError::new(E_VALUE, format!("the key `{field}` is missing"))
            .help(format!("add `{field}:` here"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        DecodeError::new(E_VALUE, format!("the key `{field}` is there twice"))
    }
}

/// "did you mean `x`? the keys here are `x`, `y`".
pub fn choices(word: &str, known: &[&str], plural: &str) -> String {
    let mut all: Vec<String> = known.iter().map(|k| format!("`{k}`")).collect();
    all.sort();
    let list = match all.len() {
        0 => format!("there are no {plural} here"),
        _ => format!("the {plural} here are {}", all.join(", ")),
    };
    match nearest(word, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`? {list}"),
        None => list,
    }
}

/// serde's names for what it wants, in the file's words.
fn plain_words(expected: &str) -> String {
    match expected {
        "a sequence" => "a list".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "f64" | "f32" => "a number".to_owned(),
        "unit" => "nothing".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 up".to_owned(),
        _ if expected.starts_with("struct ") => "a map".to_owned(),
        _ if expected.starts_with("enum ") || expected.starts_with("variant ") => "a word".to_owned(),
        _ => expected.to_owned(),
    }
}

fn describe(found: de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Bool(b) => format!("`{b}`"),
        de::Unexpected::Unsigned(n) => format!("the number {n}"),
        de::Unexpected::Signed(n) => format!("the number {n}"),
        de::Unexpected::Float(n) => format!("the number {n}"),
        de::Unexpected::Str(s) if s.chars().count() <= 40 => format!("the string `{s}`"),
        de::Unexpected::Str(_) => "a string".to_owned(),
        de::Unexpected::Unit | de::Unexpected::Option => "nothing".to_owned(),
        de::Unexpected::Seq => "a list".to_owned(),
        de::Unexpected::Map | de::Unexpected::StructVariant | de::Unexpected::TupleVariant => {
            "a map".to_owned()
        }
        other => other.to_string(),
    }
}

/// The name under which [`Located`] asks for its place.
const LOCATED: &str = "triggerfish::Located";

impl<'de> IntoDeserializer<'de, DecodeError> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let result = match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(b) => visitor.visit_bool(*b),
            Value::Number(n) => match (n.as_u64(), n.as_i64()) {
                (Some(n), _) => visitor.visit_u64(n),
                (None, Some(n)) => visitor.visit_i64(n),
                (None, None) => visitor.visit_f64(n.as_f64().unwrap_or_default()),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(entries) => visitor.visit_map(Entries {
                rest: entries.iter(),
                value: None,
            }),
        };
        result.map_err(|error| error.at(self.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let result = match name {
            LOCATED => visitor.visit_seq(Place {
                span: self.span,
                given: 0,
                inner: Some(self),
            }),
            _ => visitor.visit_newtype_struct(self),
        };
        result.map_err(|error| error.at(self.span))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let result = match &self.value {
            Value::String(text) => visitor.visit_enum(Variant {
                name: text,
                span: self.span,
                content: None,
            }),
            Value::Map(entries) if entries.len() == 1 => {
                let (key, content) = &entries[0];
                visitor.visit_enum(Variant {
                    name: &key.value,
                    span: key.span,
                    content: Some(content),
                })
            }
            Value::Map(_) => Err(DecodeError::new(
                E_VALUE,
                "expected a map with exactly one key".to_owned(),
            )),
            _ => return self.deserialize_any(visitor),
        };
        result.map_err(|error| error.at(self.span))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    /// Only a map is a struct; serde would also take a list of its fields.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.value {
            Value::List(_) => {
                Err(<DecodeError as de::Error>::invalid_type(de::Unexpected::Seq, &"a map").at(self.span))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map identifier
    }
}

/// The items of a list.
struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        self.0
            .next()
            .map(|node| seed.deserialize(node).map_err(|error| error.at(node.span)))
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// The entries of a map.
struct Entries<'de> {
    rest: std::slice::Iter<'de, (Located<String>, Node)>,
    value: Option<&'de Node>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        let Some((key, value)) = self.rest.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        seed.deserialize(Key(key))
            .map(Some)
            .map_err(|error| error.at(key.span))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, DecodeError> {
        let node = self
            .value
            .take()
            .ok_or_else(|| de::Error::custom("a value was asked for before its key"))?;
        seed.deserialize(node).map_err(|error| error.at(node.span))
    }
}

/// A key of a map: a string, or a located one.
struct Key<'de>(&'de Located<String>);

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_borrowed_str(&self.0.value)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match name {
            LOCATED => visitor.visit_seq(Place {
                span: self.0.span,
                given: 0,
                inner: Some(self),
            }),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_enum(Variant {
            name: &self.0.value,
            span: self.0.span,
            content: None,
        })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// What [`Located`] reads: file, start, end, then the value itself.
struct Place<D> {
    span: Span,
    given: u8,
    inner: Option<D>,
}

impl<'de, D: Deserializer<'de, Error = DecodeError>> de::SeqAccess<'de> for Place<D> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        self.given += 1;
        match self.given {
            1 => seed.deserialize(self.span.file.into_deserializer()).map(Some),
            2 => seed.deserialize(self.span.start.into_deserializer()).map(Some),
            3 => seed.deserialize(self.span.end.into_deserializer()).map(Some),
            _ => self.inner.take().map(|inner| seed.deserialize(inner)).transpose(),
        }
    }
}

/// One variant of an enum: a word, or a map of one key.
struct Variant<'de> {
    name: &'de str,
    span: Span,
    content: Option<&'de Node>,
}

impl<'de> de::EnumAccess<'de> for Variant<'de> {
    type Error = DecodeError;
    type Variant = Content<'de>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Content<'de>), DecodeError> {
        let name: de::value::BorrowedStrDeserializer<'de, DecodeError> =
            de::value::BorrowedStrDeserializer::new(self.name);
        let name = seed.deserialize(name).map_err(|error| error.at(self.span))?;
        Ok((name, Content(self.content)))
    }
}

/// What stands under a variant's name.
struct Content<'de>(Option<&'de Node>);

impl<'de> Content<'de> {
    fn node(self) -> Result<&'de Node, DecodeError> {
        self.0.ok_or_else(|| {
            DecodeError::new(
                E_VALUE,
                "this word needs a value: write it as `word: value`".to_owned(),
            )
        })
    }
}

impl<'de> de::VariantAccess<'de> for Content<'de> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        match self.0 {
            None
            | Some(Node {
                value: Value::Null, ..
            }) => Ok(()),
            Some(node) => Err(DecodeError::new(E_VALUE, "this word takes no value".to_owned()).at(node.span)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DecodeError> {
        let node = self.node()?;
        seed.deserialize(node).map_err(|error| error.at(node.span))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.node()?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.node()?.deserialize_struct("", fields, visitor)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = Located<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut place: A) -> Result<Located<T>, A::Error> {
                let mut number = || place.next_element::<u32>().map(Option::unwrap_or_default);
                let span = Span {
                    file: number()?,
                    start: number()?,
                    end: number()?,
                };
                let value = place
                    .next_element()?
                    .ok_or_else(|| de::Error::custom("a place has no value"))?;
                Ok(Located { span, value })
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, other: D) -> Result<Located<T>, D::Error> {
                T::deserialize(other).map(|value| Located {
                    span: Span::default(),
                    value,
                })
            }
        }

        deserializer.deserialize_newtype_struct(LOCATED, Reader(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Located::<Value>::deserialize(deserializer).map(|Located { span, value }| Node { span, value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        Value::deserialize(inner)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
        Ok(Value::Number(n.into()))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Number(n.into()))
    }

    fn visit_f64<E: de::Error>(self, n: f64) -> Result<Value, E> {
        Number::from_f64(n)
            .map(Value::Number)
            .ok_or_else(|| E::custom("JSON cannot spell this number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Value::Map(map))
    }
}

impl Serialize for Node {
    /// As JSON would be, keys in the order of the file.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(b) => serializer.serialize_bool(*b),
            Value::Number(n) => n.serialize(serializer),
            Value::String(text) => serializer.serialize_str(text),
            Value::List(items) => serializer.collect_seq(items),
            Value::Map(entries) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (&key.value, value)))
            }
        }
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
