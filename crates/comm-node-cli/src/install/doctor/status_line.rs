//! Check on the status line: that the client shows ours, where it is wanted.

use std::path::Path;

use super::Check;
use super::wired::Wired;
use crate::install::layout::Layout;
use crate::install::wiring;
use crate::settings::edit::status_line::{Found, found};
use crate::settings::entry::is_program;

impl Wired {
    /// The status line that the client shows here is ours, and its program is there.
    #[must_use]
    pub fn status_line(&self, layout: &Layout) -> Check {
        let name = "status-line";
        // What an organisation says is the strongest, then the more private file.
        let values = self.files.iter().filter_map(|f| Some((f, f.value.as_ref()?.as_ref().ok()?)));
        let mut lines: Vec<(&Path, Found)> =
            values.map(|(f, value)| (f.path.as_path(), found(value))).collect();
        lines.retain(|(_, line)| *line != Found::None);
        let ours = lines.iter().find(|(_, line)| matches!(line, Found::Ours(_)));
        let Some((origin, line)) = ours else {
            return Check::skip(
                name,
                "no settings file has ours (`comm-node install` sets it, in front of yours)",
            );
        };
        if let Some((stronger, _)) = lines.last().filter(|(_, line)| !matches!(line, Found::Ours(_))) {
            let what = format!(
                "{} sets another one, so that of {} is not shown",
                stronger.display(),
                origin.display()
            );
            return Check::warn(name, what, "`comm-node install --scope local` chains it behind ours");
        }
        let program = layout.bin().join(wiring::file_name(wiring::STATUS_LINE));
        if !is_program(&program) {
            return Check::fail(
                name,
                format!("{} is not there", program.display()),
                "run `comm-node install`",
            );
        }
        let behind = if matches!(line, Found::Ours(Some(_))) { ", and yours behind it" } else { "" };
        Check::pass(name, format!("ours is set in {}{behind}", origin.display()))
    }
}
