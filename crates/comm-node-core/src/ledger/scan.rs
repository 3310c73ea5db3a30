//! Responses in a transcript, found without parsing what is none.
//!
//! A transcript is mostly text that does not matter here: what tools said, attachments, copies of requests.
//! Only lines that hold the key `usage` unescaped are parsed. The format is Claude Code's own and may change
//! with any version: what can't be read is passed over and counted.

use std::borrow::Cow;

use memchr::memmem::Finder;
use memchr::{memchr, memrchr};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Usage, digest};
use crate::clock;

/// No response has more tokens of a class than this: a figure beyond it is damaged or made up.
const MAX_TOKENS: u64 = 1 << 32;

/// One line that tells what a response used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// What tells it from others: a digest of its message's id, else of its request's.
    pub key: u64,
    /// The model.
    pub model: Cow<'a, str>,
    /// When it came, milliseconds since 1970; none where the line does not say.
    pub at: Option<u64>,
    /// The session that asked, where the line says: another one than the file's in a line that was copied.
    pub asked_by: Option<Cow<'a, str>>,
    /// True if nothing comes before it in its conversation.
    pub first: bool,
    /// What it used, as far as this line knows.
    pub usage: Usage,
}

/// Finds responses in whole lines.
#[derive(Debug)]
pub struct Scanner {
    finder: Finder<'static>,
    /// Lines with the key that could not be read.
    pub unreadable: u64,
}

impl Default for Scanner {
    fn default() -> Self {
        Self { finder: Finder::new(b"\"usage\""), unreadable: 0 }
    }
}

impl Scanner {
    /// Gives every response in `lines` to `take`, in their order; the same response may come several times.
    pub fn scan<'a>(&mut self, lines: &'a [u8], mut take: impl FnMut(Response<'a>)) {
        let mut from = 0;
        while let Some(hit) = self.finder.find(&lines[from..]).map(|at| from + at) {
            let begin = memrchr(b'\n', &lines[from..hit]).map_or(from, |at| from + at + 1);
            let end = memchr(b'\n', &lines[hit..]).map_or(lines.len(), |at| hit + at);
            match parse(&lines[begin..end]) {
                Ok(Some(response)) => take(response),
                Ok(None) => {}
                Err(()) => self.unreadable += 1,
            }
            from = end;
        }
    }
}

/// The response in `line`, `None` if it is none.
fn parse(line: &[u8]) -> Result<Option<Response<'_>>, ()> {
    // What a power cut leaves in front of a line.
    let start = line.iter().position(|b| *b > b' ').unwrap_or(line.len());
    let line = &line[start..];
    let parsed: Line<'_> = serde_json::from_slice(line).map_err(|_| ())?;
    let Some(message) = parsed.message.0 else { return Ok(None) };
    let Some(tokens) = message.usage.0 else { return Ok(None) };
    let model = message.model.0.unwrap_or_default();
    // What the client itself says in the model's name, such as that a limit is reached.
    if parsed.kind.0.as_deref() != Some("assistant") || model == "<synthetic>" {
        return Ok(None);
    }
    let usage = tokens.usage().ok_or(())?;
    let id = [message.id, parsed.request_id, parsed.uuid]
        .into_iter()
        .find_map(|id| id.0.filter(|id| !id.is_empty()));
    let key = id.map_or_else(|| digest(line), |id| digest(id.as_bytes()));
    let at = parsed.timestamp.0.and_then(|stamp| clock::parse_anywhere(&stamp));
    let asked_by = parsed.request_session_id.0.or(parsed.session_id.0);
    Ok(Some(Response { key, model, at, asked_by, first: parsed.parent_uuid.0, usage }))
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow, rename = "type")]
    kind: Str<'a>,
    #[serde(borrow)]
    message: Maybe<Message<'a>>,
    #[serde(borrow)]
    request_id: Str<'a>,
    #[serde(borrow)]
    uuid: Str<'a>,
    #[serde(borrow)]
    timestamp: Str<'a>,
    #[serde(borrow)]
    session_id: Str<'a>,
    #[serde(borrow)]
    request_session_id: Str<'a>,
    parent_uuid: IsNull,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    id: Str<'a>,
    #[serde(borrow)]
    model: Str<'a>,
    usage: Maybe<Tokens>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tokens {
    input_tokens: Count,
    output_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_creation: Maybe<Writes>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Writes {
    ephemeral_5m_input_tokens: Count,
    ephemeral_1h_input_tokens: Count,
}

impl Tokens {
    fn usage(&self) -> Option<Usage> {
        let writes = self.cache_creation.0.as_ref();
        let hour = writes.map_or(0, |w| w.ephemeral_1h_input_tokens.0);
        let minutes = writes.map_or(0, |w| w.ephemeral_5m_input_tokens.0);
        // Earlier versions tell the sum alone, and know the short cache alone.
        let rest = self.cache_creation_input_tokens.0.saturating_sub(hour.saturating_add(minutes));
        let usage = Usage {
            input_tokens: self.input_tokens.0,
            output_tokens: self.output_tokens.0,
            cache_write_5m_tokens: minutes.saturating_add(rest),
            cache_write_1h_tokens: hour,
            cache_read_tokens: self.cache_read_input_tokens.0,
            responses: 1,
        };
        (usage.tokens() <= MAX_TOKENS).then_some(usage)
    }
}

/// A string; anything else counts as none.
#[derive(Default)]
struct Str<'a>(Option<Cow<'a, str>>);

/// An object of the form `T`; anything else counts as none.
struct Maybe<T>(Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// A whole number from 0; anything else counts as 0.
#[derive(Default)]
struct Count(u64);

/// Whether the value is there and `null`.
#[derive(Default)]
struct IsNull(bool);

impl<'de> Deserialize<'de> for IsNull {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Option::<IgnoredAny>::deserialize(d).map(|value| Self(value.is_none()))
    }
}

/// Visits what is not wanted, so that it is passed over and not a fault.
macro_rules! otherwise {
    ($($name:ident: $type:ty),*) => {
        $(fn $name<E>(self, _: $type) -> Result<Self::Value, E> { Ok(Default::default()) })*
        fn visit_unit<E>(self) -> Result<Self::Value, E> { Ok(Default::default()) }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Default::default())
        }
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("a value") }
    };
}

macro_rules! pass_map {
    () => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Default::default())
        }
    };
}

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Str<'de>;
            fn visit_borrowed_str<E>(self, s: &'de str) -> Result<Str<'de>, E> {
                Ok(Str(Some(Cow::Borrowed(s))))
            }
            fn visit_str<E>(self, s: &str) -> Result<Str<'de>, E> {
                Ok(Str(Some(Cow::Owned(s.to_owned()))))
            }
            otherwise!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);
            pass_map!();
        }
        d.deserialize_any(V)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Count;
            fn visit_u64<E>(self, n: u64) -> Result<Count, E> {
                Ok(Count(n))
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
            fn visit_f64<E>(self, n: f64) -> Result<Count, E> {
                Ok(Count(n as u64))
            }
            otherwise!(visit_bool: bool, visit_i64: i64, visit_str: &str);
            pass_map!();
        }
        d.deserialize_any(V)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for V<T> {
            type Value = Maybe<T>;
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Maybe<T>, A::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    .map(|value| Maybe(Some(value)))
            }
            otherwise!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);
        }
        d.deserialize_any(V(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &[u8]) -> (Vec<(String, Usage)>, u64) {
        let mut scanner = Scanner::default();
        let mut found = Vec::new();
        scanner.scan(text, |r| found.push((r.model.into_owned(), r.usage)));
        (found, scanner.unreadable)
    }

    fn usage(input: u64, output: u64) -> Usage {
        Usage { input_tokens: input, output_tokens: output, responses: 1, ..Usage::default() }
    }

    #[test]
    fn only_responses_are_found() {
        let text = br#"{"type":"user","message":{"content":"\"usage\":{\"input_tokens\":9}"}}
{"type":"assistant","message":{"id":"m1","model":"a","content":[{"x":{"usage":7}}],"usage":{"input_tokens":1,"output_tokens":2}}}
{"type":"user","toolUseResult":{"usage":{"input_tokens":9}}}
{"type":"progress","data":{"message":{"message":{"usage":{"input_tokens":9}}}}}
{"type":"assistant","message":{"model":"<synthetic>","usage":{"input_tokens":0}}}
{"type":"assistant","message":{"model":"b","usage":"none"}}
{"type":"assistant","message":[{"usage":{}}]}
{"usage":{"input_tokens":9}}
{"type":"assistant","message":{"id":"m2","model":"c","usage":{"input_tokens":3}},"uuid":"u"}"#;
        assert_eq!(scan(text), (vec![("a".into(), usage(1, 2)), ("c".into(), usage(3, 0))], 0));
    }

    #[test]
    fn cache_writes_are_kept_apart() {
        let line = |writes: &str| {
            let text = format!(r#"{{"type":"assistant","message":{{"usage":{{{writes}}}}}}}"#);
            let found = scan(text.as_bytes()).0.remove(0).1;
            (found.cache_write_5m_tokens, found.cache_write_1h_tokens)
        };
        assert_eq!(line(r#""cache_creation_input_tokens":5"#), (5, 0));
        assert_eq!(line(r#""cache_creation_input_tokens":5,"cache_creation":null"#), (5, 0));
        let both = r#""cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":3}"#;
        assert_eq!(line(both), (2, 3));
        assert_eq!(line(&format!(r#""cache_creation_input_tokens":5,{both}"#)), (2, 3));
        assert_eq!(line(&format!(r#""cache_creation_input_tokens":9,{both}"#)), (6, 3));
    }

    #[test]
    fn what_is_hostile_is_passed_over() {
        let line = |value: &str| {
            let text = format!(
                "{{\"type\":\"assistant\",\"message\":{{\"id\":\"m\",\"model\":\"a\",\"usage\":{{\"input_tokens\":1,\"output_tokens\":{value}}}}}}}"
            );
            let (found, unreadable) = scan(text.as_bytes());
            (found.first().map(|(_, usage)| usage.output_tokens), unreadable)
        };
        for (value, expected) in [
            ("7", (Some(7), 0)),
            ("7.0", (Some(7), 0)),
            ("-7", (Some(0), 0)),
            ("null", (Some(0), 0)),
            ("\"7\"", (Some(0), 0)),
            ("[7]", (Some(0), 0)),
            ("{\"n\":7}", (Some(0), 0)),
            ("1e400", (None, 1)),
            ("18446744073709551615", (None, 1)),
            ("99999999999999999999999", (None, 1)),
            ("7}", (None, 1)),
        ] {
            assert_eq!(line(value), expected, "{value}");
        }
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let text = format!(
            "{{\"x\":{deep},\"type\":\"assistant\",\"message\":{{\"usage\":{{\"input_tokens\":1}}}}}}"
        );
        assert_eq!(scan(text.as_bytes()).0.len(), 1);
        let mut text = b"\0\0\0{\"type\":\"assistant\",\"x\":\"\xff\xfe\",\"message\":{\"usage\":{\"input_tokens\":1}}}\n".to_vec();
        text.extend_from_slice(b"{\"usage\"\0}\n\xff\"usage\"\n\n\r\n");
        let (found, unreadable) = scan(&text);
        assert_eq!((found.len(), unreadable), (1, 2));
    }

    #[test]
    fn keys_fall_back() {
        let key = |fields: &str| {
            let text = format!(r#"{{"type":"assistant",{fields}}}"#);
            let mut key = None;
            Scanner::default().scan(text.as_bytes(), |r| key = Some(r.key));
            key.expect("found")
        };
        let by_id = key(r#""message":{"id":"m","usage":{}},"requestId":"r","uuid":"u""#);
        assert_eq!(by_id, key(r#""message":{"id":"m","usage":{}},"uuid":"v""#));
        let by_request = key(r#""message":{"usage":{}},"requestId":"r","uuid":"u""#);
        assert_eq!(by_request, key(r#""message":{"id":null,"usage":{}},"requestId":"r","uuid":"v""#));
        assert!(key(r#""message":{"usage":{}},"uuid":"u""#) != key(r#""message":{"usage":{}},"uuid":"v""#));
        assert!(by_id != by_request);
    }

    #[test]
    fn who_asked_and_when() {
        let text = br#"{"type":"assistant","message":{"usage":{}},"sessionId":"fork","timestamp":"2026-11-25T21:33:07.420Z","requestSessionId":"origin"}"#;
        Scanner::default().scan(text, |r| {
            assert_eq!((r.asked_by.as_deref(), r.at), (Some("origin"), Some(1_795_642_387_420)));
        });
    }
}
