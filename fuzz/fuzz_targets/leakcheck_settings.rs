//! The environment variables of leakcheck.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leakcheck::fuzz::settings(bytes));
