//! Runs the program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    match odpsh::cli::run() {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("FAILED: {error:#}");
            ExitCode::from(1)
        }
    }
}
