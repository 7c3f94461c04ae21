//! Runs the program; everything is in the library.

use std::process::ExitCode;
use std::sync::Arc;

use signal_hook::consts::SIGXFSZ;

/// Statements and columnar batches make many small and some large allocations from several threads;
/// this allocator serves both about a fifth faster than the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A file at its size limit is to be a failed write, as a full disk is, not the end of the process.
    if let Err(error) = signal_hook::flag::register(SIGXFSZ, Arc::default()) {
        eprintln!("WARNING: a file size limit will end the program: {error}");
    }
    let thread = std::thread::Builder::new().stack_size(odpsh::engine::STACK_BYTES);
    let run = || match odpsh::cli::run() {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("FAILED: {error:#}");
            ExitCode::from(1)
        }
    };
    match thread.spawn(run).map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        // It has said why.
        Ok(Err(_)) => ExitCode::from(101),
        Err(error) => {
            eprintln!("FAILED: cannot start: {error}");
            ExitCode::from(1)
        }
    }
}
