//! Runs the program; everything is in the library.

use std::process::ExitCode;

/// Statements and columnar batches make many small and some large allocations from several threads;
/// this allocator serves both about a fifth faster than the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match odpsh::cli::run() {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("FAILED: {error:#}");
            ExitCode::from(1)
        }
    }
}
