//! `shell:`, what the node says about shell commands.

use comm_node_core::text::Text;

use super::fault::quoted;
use super::reader::Reader;
use super::yaml::Node;

const KEYS: [&str; 1] = ["commands"];
/// The longest row.
const MAX_ROW: usize = 2_000;
/// The most rows; every shell command is held against each.
const MAX_ROWS: usize = 500;

/// Reads `shell:`; the result is its rows.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Vec<Text<'static>> {
    let fields = reader.fields(node, "`shell`", &KEYS);
    let Some(list) = fields.get("commands") else { return Vec::new() };
    let mut rows = Vec::new();
    for (row, at) in reader.texts(list, "`commands`", "[\"mygen -o=FILE\"]") {
        let row = row.trim();
        if rows.len() == MAX_ROWS {
            reader.fault(at, format!("`commands` has more than {MAX_ROWS} rows"), "leave some out");
            break;
        }
        if row.len() > MAX_ROW {
            reader.fault(at, "the row is too long", format!("use at most {MAX_ROW} bytes"));
        } else if let Err(why) = comm_node_shell::check_row(row) {
            let what = format!("{} does not say what a program writes: {why}", quoted(row));
            reader.fault(at, what, "write the program and what it writes, such as \"mygen -o=FILE ARG...\"");
        } else {
            rows.push(row.to_owned().into());
        }
    }
    rows
}
