//! What methods of .NET write.

use super::lex::{Kind, Token, Word, lex};
use super::{Walker, listed};
use crate::table::{Argument, Shape};
use crate::{Certainty, Why};

/// Types whose static methods change no file.
const TYPES: &str = "io.path math string char int int32 int64 long double decimal bool datetime \
                     datetimeoffset timespan guid environment regex text.regularexpressions.regex convert \
                     text.encoding console version bitconverter array enum uri linq.enumerable \
                     collections.generic.list[string] text.json.jsonserializer ";
/// Methods of objects that change no file.
const METHODS: &str = "replace split trim trimstart trimend tostring tolower toupper tolowerinvariant \
                       toupperinvariant startswith endswith contains substring indexof lastindexof insert \
                       padleft padright equals compareto gettype add addrange remove removeat clear \
                       containskey containsvalue join format count append appendline toarray getenumerator \
                       adddays addhours addminutes getbytes getstring match matches ismatch where foreach \
                       keys values reverse sort tochararray getdirectories getfiles exists ";
/// Methods of `System.IO.File` and `System.IO.Directory` that write: their name, and for each of their
/// first arguments `f`ile, `e`ntry, `u`nder or `-` for one that is only read.
const FILES: &str = "\
writealltext f
writealllines f
writeallbytes f
appendalltext f
appendalllines f
appendtext f
createtext f
create f
openwrite f
delete e
move ee
copy -f
replace eee
setattributes f
setlastwritetime f
createdirectory e
createsymboliclink e
encrypt f
decrypt f
";
/// Words that an unknown method begins with although it reads.
const READS: [&str; 4] = ["read", "get", "exists", "enumerate"];

/// True for methods that change no file.
pub(super) fn is_harmless(name: &str) -> bool {
    listed(METHODS, &name.to_ascii_lowercase())
}

/// True for names of methods that change files.
pub(super) fn is_verb(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["delete", "move", "copy", "create", "append", "open", "replace", "set", "write", "save"]
        .iter()
        .any(|verb| name.starts_with(verb))
}

impl Walker<'_> {
    /// Looks for calls of methods in an expression.
    pub(super) fn methods(&mut self, tokens: &[Token<'_>], text: &str) {
        for pair in tokens.windows(2) {
            let [
                Token { kind: Kind::Word(word), start, end, .. },
                Token { kind: Kind::Paren(inner), glued: true, .. },
            ] = pair
            else {
                continue;
            };
            let raw = text.get(*start..*end).unwrap_or_default();
            self.method(word, raw, inner);
        }
    }

    fn method(&mut self, word: &Word<'_>, raw: &str, arguments: &str) {
        let raw = raw.to_ascii_lowercase();
        if !word.bare && !raw.contains('.') {
            return;
        }
        if let Some((class, method)) = raw.strip_prefix('[').and_then(|rest| rest.split_once("]::")) {
            let class = class.strip_prefix("system.").unwrap_or(class);
            return match class {
                "io.file" | "io.directory" => self.file_method(class == "io.directory", method, arguments),
                _ if listed(TYPES, class) => {}
                _ if method == "new" && !class.contains("stream") && !class.contains("writer") => {}
                _ => self.unknown(Why::Code),
            };
        }
        let name = raw.rsplit(['.', ':']).next().unwrap_or_default();
        // An operator: `-not(…)`, `-join(…)`.
        if !raw.starts_with('-') && !raw.starts_with('!') && !is_harmless(name) {
            self.unknown(Why::Code);
        }
    }

    fn file_method(&mut self, directory: bool, method: &str, arguments: &str) {
        let found = FILES.lines().find_map(|line| line.strip_prefix(method)?.strip_prefix(' '));
        let Some(shapes) = found else {
            if !READS.iter().any(|prefix| method.starts_with(prefix)) {
                self.unknown(Why::Code);
            }
            return;
        };
        let Some(tokens) = lex(arguments) else { return self.unknown(Why::Syntax) };
        let mut values = tokens.split(|t| matches!(t.kind, Kind::Comma)).map(|value| match value {
            [Token { kind: Kind::Word(word), .. }] => Some(word),
            _ => None,
        });
        for shape in shapes.chars() {
            let value = match values.next().flatten() {
                Some(word) => self.value(word),
                None => Argument::Unknown { prefix: String::new() },
            };
            let shape = match shape {
                '-' => continue,
                'e' if directory && method != "createdirectory" => Shape::Under,
                'e' => Shape::Entry,
                _ => Shape::File,
            };
            match &value {
                // The process need not be where the shell is.
                Argument::Known(path) if !is_absolute(path) => {
                    let cwd = self.cwd.replace(self.context.cwd.clone());
                    let same = cwd == self.cwd;
                    let certainty = if same { Certainty::Certain } else { Certainty::Possible };
                    self.write(&value, shape, certainty);
                    self.cwd = cwd;
                    if !same {
                        self.write(&value, shape, Certainty::Possible);
                    }
                }
                Argument::Known(_) => self.write(&value, shape, Certainty::Certain),
                Argument::Unknown { .. } => self.unknown(Why::Code),
            }
        }
    }
}

fn is_absolute(path: &str) -> bool {
    std::path::Path::new(path).is_absolute()
}
