//! The hook program for this event; see `comm_node_hooks::events::user_prompt_submit`.
#![cfg_attr(target_env = "musl", no_main)]

comm_node_hooks::program!(comm_node_hooks::events::user_prompt_submit::HOOK);
