//! `prices:`, what models cost here.

use comm_node_core::ledger::PriceRow;
use comm_node_core::text::Text;

use super::fault::quoted;
use super::reader::Reader;
use super::yaml::Node;

/// More rows than there are models.
const MAX_ROWS: usize = 200;

/// Reads `prices:`; the result is its rows.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Vec<Text<'static>> {
    let mut rows = Vec::new();
    let example = "[\"claude-x-* 2026-01-31 3000000 15000000 3750000 6000000 300000\"]";
    for (row, at) in reader.texts(node, "`prices`", example) {
        let why = match PriceRow::parse(&row) {
            Ok(Some(_)) if rows.len() < MAX_ROWS && !row.contains('\n') => {
                rows.push(row.into());
                continue;
            }
            Ok(Some(_)) => "it has a line break, or there are too many",
            Ok(None) => "it is empty",
            Err(why) => why,
        };
        let what = format!("{} is no row of prices: {why}", quoted(&row));
        let help = "write `<model glob> <from day> <input> <output> <write 5m> <write 1h> <read>`, in micro-dollars for a million tokens";
        reader.fault(at, what, help);
    }
    rows
}
