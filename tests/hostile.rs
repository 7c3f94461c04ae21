//! Hostile input, bounded: the bodies that cargo-fuzz runs for hours (`tests/fuzz`), on some thousand inputs, in little memory.
//!
//! `PROPTEST_CASES=100000 cargo test --release --test hostile` is the long mode.

#[path = "fuzz/bodies.rs"]
mod bodies;
#[allow(dead_code, reason = "a part of it is used")]
#[path = "model/machine.rs"]
mod machine;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use proptest::prelude::*;

/// Memory, of which there is no more than a gigabyte: who believes a length that lies ends the test.
struct Bounded;

const MEMORY_BYTES: usize = 1 << 30;
static USED_BYTES: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static MEMORY: Bounded = Bounded;

// Safety: all blocks come from the system, and go there.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED_BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        let block = match used + layout.size() > MEMORY_BYTES {
            true => std::ptr::null_mut(),
            false => unsafe { System.alloc(layout) },
        };
        if block.is_null() {
            USED_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) };
        USED_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
    }
}

/// A body that takes longer than that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a body on a thread of its own, with the stack of the program.
fn within_patience(body: fn(&[u8]), bytes: Vec<u8>) {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::Builder::new().stack_size(odpsh::engine::STACK_BYTES);
    let running = thread
        .spawn(move || {
            body(&bytes);
            let _ = sender.send(());
        })
        .expect("a thread");
    if receiver.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("it hangs");
    }
    if let Err(panic) = running.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Pieces of statements, mixed.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "select",
        "from",
        "insert",
        "into",
        "overwrite",
        "table",
        "values",
        "(",
        ")",
        ",",
        ";",
        "'",
        "\"",
        "`",
        "--",
        "/*",
        "*/",
        "partition",
        "restore",
        "to",
        "lsn",
        "show",
        "history",
        "for",
        "create",
        "as",
        "drop",
        "alter",
        "array<",
        "map<",
        ">",
        "struct<",
        ":",
        "1",
        "1e400",
        "0x",
        ".",
        "*",
        "=",
        "\\",
        "\u{0}",
        "é",
        "with",
        "union",
        "all",
        "version",
        "of",
        "between",
        "purge",
        "set",
        "grant",
        "user",
        "secret",
        "merge",
        "using",
        "when",
        "matched",
        "then",
        "update",
        "delete",
        "lifecycle",
        "tblproperties",
        "\n",
        "$",
    ]);
    prop::collection::vec(words, 0..60).prop_map(|words| words.join(" ").into_bytes())
}

fn bytes(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..longest)
}

/// Bytes that mean something to the decoders: small and huge numbers, nesting, lengths.
fn telling(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => any::<u8>().prop_map(|byte| vec![byte]),
        2 => Just(vec![253, 255, 255, 255, 255, 255, 255, 255, 255]),
        2 => Just(vec![252, 255, 255, 255, 255]),
        1 => Just(vec![253, 0, 0, 0, 0, 0, 0, 0, 128]),
        1 => (1usize..3000).prop_map(|count| vec![16; count]),
        1 => (1usize..3000).prop_map(|count| vec![14; count]),
        1 => (1usize..40).prop_map(|count| vec![0; count]),
    ];
    prop::collection::vec(piece, 0..longest).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_split_and_parsed_or_refused(text in prop_oneof![soup(), bytes(200)]) {
        within_patience(bodies::statements, text);
    }

    #[test]
    fn any_bytes_are_a_log_or_refused(bytes in telling(300)) {
        within_patience(bodies::log_file, bytes);
    }

    #[test]
    fn any_bytes_may_follow_a_log(bytes in telling(300)) {
        within_patience(bodies::log_tail, bytes);
    }

    #[test]
    fn a_record_that_lies_is_refused_or_does_no_harm(
        (which, at, how) in any::<(u8, u8, u8)>(),
        put in telling(6),
    ) {
        within_patience(bodies::record, [vec![which, at, how], put].concat());
    }
}

/// What the fuzzer of `tests/fuzz` once found.
#[test]
fn inputs_that_were_trouble() {
    for text in [
        "with a as (select f(1 ]) insert into t select 1",
        "with a as (select 1 end) insert into t select 1",
        "from a [ ) insert into t select 1",
        "update t set a = (1 end, b = 2) where c",
    ] {
        within_patience(bodies::statements, text.into());
    }
    // A table that says it has no partitions, although its schema has.
    within_patience(bodies::record, vec![0x0b, 0x40, 0xd5, 0, 0]);
}
