//! `bonded`, a container registry: `bonded serve` runs the server, the other commands ask one or
//! work on files.

use std::process::ExitCode;

fn main() -> ExitCode {
    bonded_server::run()
}
