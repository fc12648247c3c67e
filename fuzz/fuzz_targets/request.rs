//! What a client sends to the debug endpoint.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gopark::fuzz::request(bytes));
