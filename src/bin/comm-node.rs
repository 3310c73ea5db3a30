//! The command line; see `comm_node_cli`.

fn main() -> std::process::ExitCode {
    comm_node_cli::main()
}
