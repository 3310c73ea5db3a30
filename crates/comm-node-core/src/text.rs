//! Text that comes from outside, made safe to store, show and hand to a model.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A string that borrows from the text it was parsed from wherever it can.
///
/// `Vec<Cow<str>>` always allocates when deserialised; a list of these does not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Text<'_> {
    /// The string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same string, owned.
    #[must_use]
    pub fn into_owned(self) -> Text<'static> {
        Text(Cow::Owned(self.0.into_owned()))
    }
}

impl std::ops::Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(s: &'a str) -> Self {
        Self(Cow::Borrowed(s))
    }
}

impl From<String> for Text<'_> {
    fn from(s: String) -> Self {
        Self(Cow::Owned(s))
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: de::Error>(self, s: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(s)))
            }
            fn visit_str<E: de::Error>(self, s: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(s.to_owned())))
            }
            fn visit_string<E: de::Error>(self, s: String) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(s)))
            }
        }
        d.deserialize_str(Visitor)
    }
}

/// `raw` with everything that could act on a terminal, hide text or break out of a line made
/// visible, and cut to `max` characters with an ellipsis.
///
/// Control characters, line breaks, bidirectional controls, zero-width characters and Unicode
/// tags become `\u{…}`; ordinary text is returned as it is.
#[must_use]
pub fn one_line(raw: &str, max: usize) -> Cow<'_, str> {
    let plain = raw.chars().all(|c| !is_hidden(c));
    if plain && raw.len() <= max {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len().min(max * 4));
    for (count, c) in raw.chars().enumerate() {
        if count >= max {
            out.push('…');
            break;
        }
        if is_hidden(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// `raw` with the same made visible, but for line breaks and tabs: what goes into a file of several lines.
#[must_use]
pub fn visible(raw: &str) -> Cow<'_, str> {
    let stays = |c: char| c == '\n' || c == '\t' || !is_hidden(c);
    if raw.chars().all(stays) {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    for c in raw.replace("\r\n", "\n").chars() {
        if stays(c) {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    Cow::Owned(out)
}

/// True for characters that a reader does not see as themselves: what controls, turns text around, or is ignored when
/// it is shown. The variants of emoji are none of these.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// A rough count of the tokens in `text`: characters of prose at 4.2 bytes each, CJK at one each.
///
/// Too low, by kind of text: English prose 10 %, Rust 20 %, JSON 38 %, JavaScript and TypeScript 2 %; measured against
/// an older public tokenizer, because the models' own is not public. It is used for the size of messages and
/// briefs, never for what a session spent, which the transcript states exactly.
#[must_use]
pub fn estimate_tokens(text: &str) -> usize {
    let mut wide = 0usize;
    let mut bytes = 0usize;
    for c in text.chars() {
        if matches!(u32::from(c), 0x2E80..=0x9FFF | 0xAC00..=0xD7AF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF) {
            wide += 1;
        } else {
            bytes += c.len_utf8();
        }
    }
    wide + (bytes * 10).div_ceil(42)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borrows_when_it_can() {
        let list: Vec<Text<'_>> = serde_json::from_str(r#"["plain","esc\u0061ped"]"#).expect("valid");
        assert!(matches!(list[0].0, Cow::Borrowed("plain")));
        assert_eq!(list[1].as_str(), "escaped");
    }

    #[test]
    fn nothing_hidden_gets_through() {
        assert_eq!(one_line("a/b.rs", 80), "a/b.rs");
        assert_eq!(one_line("a\u{1b}[31m\nb\u{202e}c", 80), "a\\u{1b}[31m\\u{a}b\\u{202e}c");
        assert_eq!(one_line("abcdef", 3), "abc…");
        assert_eq!(visible("a\u{1b}[31m\r\n\tb\u{202e}\rc"), "a\\u{1b}[31m\n\tb\\u{202e}\\u{d}c");
        assert!(matches!(visible("a\n\tb"), Cow::Borrowed(_)));
    }

    #[test]
    fn tokens_of_prose_and_cjk() {
        assert_eq!(estimate_tokens(""), 0);
        assert_eq!(estimate_tokens(&"a".repeat(42)), 10);
        assert_eq!(estimate_tokens("日本語"), 3);
    }
}
