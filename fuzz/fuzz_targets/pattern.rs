//! Patterns of what leakcheck ignores, and names.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leakcheck::fuzz::pattern(bytes));
