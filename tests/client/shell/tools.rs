//! The other tools that run commands: Monitor, and PowerShell where it is switched on.

use serde_json::json;

use super::{REFUSED, Who, is_changed, program, run, shop, with_bin};
use crate::driver::Client;
use crate::script::Turn;

/// Does what the commands of the test would do.
const FAKE: &str = "for last; do :; done
case $last in *Set-Content*) echo y > web/01.txt ;; *Out-File*\\ api*) echo y > api/x ;; esac";

#[test]
fn monitor_and_powershell_are_guarded_like_bash() {
    for mode in ["enforce", "off"] {
        let node = shop(mode, "");
        let Some(client) = Client::guarded() else { return };
        program(client.home(), "pwsh", FAKE);
        let path = with_bin(client.home());
        let watch = |command: &str| {
            let input =
                json!({"command": command, "description": "s", "timeout_ms": 5000, "persistent": false});
            Turn::tool("Monitor", input)
        };
        let shell = |command: &str| Turn::tool("PowerShell", json!({"command": command, "description": "s"}));
        let turns = [
            watch("echo y > web/00.txt; tail -n 1 web/00.txt"),
            shell("Set-Content -Path web/01.txt -Value y"),
            watch("echo y > api/new"),
            watch("tail -n 1 web/02.txt"),
            shell("Get-Content web/03.txt | Select-String local"),
            shell("'y' | Out-File api/x"),
            Turn::bash("sleep 0.3"),
        ];
        let ran = run(client, &node, Who::Main, turns, |run| {
            run.env("COMM_NODE_DOMAIN", "api").env("PATH", path).env("CLAUDE_CODE_USE_POWERSHELL_TOOL", "1")
        });
        let guarded = mode == "enforce";
        for i in 0..2 {
            let said = ran.told(i);
            assert_eq!(
                said.contains(REFUSED) && said.contains("it belongs to domain web"),
                guarded,
                "{said}"
            );
            assert_eq!(is_changed(&node, i), !guarded, "{said}");
        }
        for i in 2..6 {
            ran.assert_silent(i, "in the scope, or reading");
        }
        assert!(node.read("api/new").is_some() && node.read("api/x").as_deref() == Some("y\n"));
    }
}
