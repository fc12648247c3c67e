//! A file with an execution trace.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gopark::fuzz::trace(bytes));
