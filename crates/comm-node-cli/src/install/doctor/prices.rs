//! The person's own prices, which hooks pass over without a word where they can't be used.

use comm_node_core::ledger::{MAX_OWN_PRICES, PriceRow, own_prices};

use super::Check;
use crate::env::Env;

const NAME: &str = "prices";
/// So many rows are named.
const NAMED: usize = 3;

/// The table can be read, and so can each of its rows.
pub(super) fn check(env: &Env) -> Check {
    let path = match env.claude_dir() {
        Ok(dir) => dir.join("comm-node/prices.txt"),
        Err(e) => return Check::skip(NAME, e.to_string()),
    };
    let text = match own_prices(&path) {
        Ok(Some(text)) => text,
        Ok(None) => {
            return Check::pass(NAME, "those that comm-node brings count; there are none of your own");
        }
        Err(e) => {
            let kib = MAX_OWN_PRICES >> 10;
            return Check::warn(
                NAME,
                format!("{e}; neither hooks nor `comm-node usage` use it"),
                format!("make it a plain file of UTF-8 text, of at most {kib} KiB and no link"),
            );
        }
    };
    let faults: Vec<String> = (1..)
        .zip(text.lines())
        .filter_map(|(n, line)| PriceRow::parse(line).err().map(|why| format!("line {n}: {why}")))
        .collect();
    if faults.is_empty() {
        return Check::pass(NAME, format!("{} can be read", path.display()));
    }
    let more = faults.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    Check::warn(
        NAME,
        format!(
            "{}: {}{more}; these rows are passed over",
            path.display(),
            faults[..faults.len().min(NAMED)].join(", ")
        ),
        "write `<model glob> <from day> <input> <output> <write 5m> <write 1h> <read>`, in micro-dollars for a million tokens",
    )
}
