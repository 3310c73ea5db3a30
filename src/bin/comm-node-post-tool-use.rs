//! The hook program for this event; see `comm_node_hooks::events::post_tool_use`.
#![cfg_attr(target_env = "musl", no_main)]

comm_node_hooks::program!(comm_node_hooks::events::post_tool_use::HOOK);
