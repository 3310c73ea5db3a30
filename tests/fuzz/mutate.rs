//! One text made from others.

use super::random::Random;

/// No text gets longer.
const MAX: usize = 96 << 10;
/// Bytes that mean something to one of the readers.
const TOKENS: [&[u8]; 44] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\n",
    b"\r\n",
    b"---\n",
    b"- ",
    b"  ",
    b"\t",
    b"#",
    b"&a ",
    b"*a",
    b"!!x ",
    b"|\n",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xae",
    b"\x1b[2J",
    b"usage",
    b"\"usage\":",
    b"version: 1\n",
    b"**",
    b"{a,b}",
    b"comm-node",
    b"hooks",
    b"[ ]",
    b"## ",
    b"None",
    b"\xe2\x86\x92",
    b"<<: ",
    b"'",
];

/// A text that resembles one of the corpus.
pub(crate) fn mutated(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut text = corpus[random.below(corpus.len())].clone();
    let most = if random.one_in(8) { 40 } else { 6 };
    for _ in 0..=random.below(most) {
        mutate(random, &mut text, corpus);
        text.truncate(MAX);
    }
    text
}

fn mutate(random: &mut Random, text: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    let at = random.below(text.len() + 1);
    let end = at + random.below((text.len() - at).min(64) + 1);
    match random.below(9) {
        0 if at < text.len() => text[at] ^= 1 << random.below(8),
        1 if at < text.len() => text[at] = u8::try_from(random.below(256)).expect("a byte"),
        2 => drop(text.splice(at..at, random.pick(&TOKENS).iter().copied())),
        3 => drop(text.splice(at..end, random.pick(&TOKENS).iter().copied())),
        4 => drop(text.drain(at..end)),
        5 => {
            let piece = text[at..end].to_vec();
            let to = random.below(text.len() + 1);
            text.splice(to..to, piece);
        }
        6 => {
            // A piece of another text, at a line's beginning more often than not.
            let other = &corpus[random.below(corpus.len())];
            let from = random.below(other.len() + 1);
            let from = other[..from].iter().rposition(|&b| b == b'\n').map_or(from, |at| at + 1);
            let to = from + random.below((other.len() - from).min(200) + 1);
            text.splice(at..at, other[from..to].iter().copied());
        }
        7 => text.truncate(at),
        _ if random.one_in(6) => {
            let piece = if at < end { text[at..end].to_vec() } else { random.pick(&TOKENS).to_vec() };
            let times = 1 << random.below(13);
            let many: Vec<u8> = piece.iter().copied().cycle().take((piece.len() * times).min(MAX)).collect();
            text.splice(at..at, many);
        }
        _ => {}
    }
}
