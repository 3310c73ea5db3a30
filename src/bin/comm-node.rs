//! The command line; see `comm_node_cli`.

// For its allocator: most commands make two hundred system calls less with it.
use comm_node_hooks as _;

fn main() -> std::process::ExitCode {
    comm_node_cli::main()
}
