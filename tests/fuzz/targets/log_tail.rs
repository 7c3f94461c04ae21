#![no_main]
#![allow(dead_code)]

#[path = "../bodies.rs"]
mod bodies;
#[path = "../../model/machine.rs"]
mod machine;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::log_tail(bytes));
