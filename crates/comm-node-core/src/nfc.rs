//! Unicode's composed form, NFC.
//!
//! The crate that holds Unicode's tables can do the same with an iterator adaptor, which is written for
//! both kinds of decomposition and so links the tables of the compatible ones too: 62 KB that no
//! path ever needs. Its single steps are put together here instead.

use unicode_normalization::char::{canonical_combining_class as class, compose, decompose_canonical};
use unicode_normalization::{IsNormalized, is_nfc_quick};

/// True if `text` is in NFC for sure.
pub(crate) fn is_nfc(text: &str) -> bool {
    text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes
}

/// `text` in NFC (Unicode Standard Annex 15): decomposed, marks put in order, composed.
pub(crate) fn nfc(text: &str) -> String {
    let mut chars: Vec<(u8, char)> = Vec::with_capacity(text.len());
    for c in text.chars() {
        decompose_canonical(c, |part| chars.push((class(part), part)));
    }
    for marks in chars.split_mut(|(class, _)| *class == 0) {
        order(marks);
    }
    let mut out: Vec<char> = Vec::with_capacity(chars.len());
    // Where the last starter is, and the class of what stands between it and here.
    let mut starter: Option<usize> = None;
    let mut between: Option<u8> = None;
    for (class, c) in chars {
        let reaches = between.is_none_or(|last| last < class);
        let base = starter.filter(|_| reaches).and_then(|at| out.get_mut(at));
        if let Some(base) = base
            && let Some(both) = compose(*base, c)
        {
            *base = both;
            continue;
        }
        if class == 0 {
            starter = Some(out.len());
            between = None;
        } else {
            between = Some(class);
        }
        out.push(c);
    }
    out.into_iter().collect()
}

/// Puts a run of marks in the order of their classes, those of one class staying as they are. Its time is
/// linear, because whoever names a file decides how many marks there are.
fn order(marks: &mut [(u8, char)]) {
    if marks.is_sorted_by_key(|(class, _)| *class) {
        return;
    }
    let mut sorted = Vec::with_capacity(marks.len());
    for wanted in 1..=u8::MAX {
        sorted.extend(marks.iter().copied().filter(|(class, _)| *class == wanted));
    }
    marks.copy_from_slice(&sorted);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    fn check(text: &str) {
        let want: String = text.nfc().collect();
        assert_eq!(nfc(text), want, "{text:?}");
        if is_nfc(text) {
            assert_eq!(text, want);
        }
    }

    #[test]
    fn known_cases() {
        for text in [
            "",
            "a",
            "cafe\u{301}",
            "\u{1e69}",
            "s\u{307}\u{323}",
            "\u{1100}\u{1161}\u{11a8}",
            "\u{212b}",
            "\u{301}a\u{301}",
        ] {
            check(text);
        }
        assert_eq!(nfc("s\u{307}\u{323}"), "\u{1e69}");
    }

    #[test]
    fn every_character_is_composed_as_unicode_says() {
        // All that decompose or combine; what is left out is Han, Hangul and unassigned.
        let ranges =
            ['\0'..='\u{33ff}', '\u{a600}'..='\u{ac20}', '\u{f900}'..='\u{1f000}', '\u{2f800}'..='\u{2fa20}'];
        for c in ranges.into_iter().flatten() {
            check(&format!("a{c}\u{301}\u{323}{c}"));
        }
    }

    #[test]
    fn many_marks_take_little_time() {
        let text: String =
            std::iter::once('a').chain("\u{301}\u{323}".chars().cycle().take(200_000)).collect();
        let want: String = text.nfc().collect();
        assert!(nfc(&text) == want);
    }

    proptest! {
        #[test]
        fn the_crate_agrees(text in "[a-zA-Z\u{c0}-\u{24f}\u{300}-\u{345}\u{1100}-\u{11ff}\u{ac00}-\u{ad00}\u{591}-\u{5c7}\u{93c}\u{928}\u{9c7}\u{9be}]{0,24}") {
            check(&text);
        }

        #[test]
        fn the_crate_agrees_on_anything(text in "\\PC{0,16}") {
            check(&text);
        }
    }
}
