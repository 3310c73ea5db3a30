//! The status line's program; see `comm_node_hooks::status_line`.

comm_node_hooks::no_unwinder!();

fn main() {
    comm_node_hooks::status_line::main();
}
