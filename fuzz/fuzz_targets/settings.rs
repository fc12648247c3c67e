//! The environment variables of gopark.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gopark::fuzz::settings(bytes));
