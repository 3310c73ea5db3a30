//! The hook program for this event; see `comm_node_hooks::events::subagent_start`.
#![cfg_attr(target_env = "musl", no_main)]

comm_node_hooks::program!(comm_node_hooks::events::subagent_start::HOOK);
