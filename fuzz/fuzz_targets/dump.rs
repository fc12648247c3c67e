//! The dump, as the tests read it.
#![no_main]

#[path = "../../tests/golden/grammar.rs"]
#[allow(dead_code, unreachable_pub, reason = "the tests use all of it")]
mod grammar;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        grammar::check(text);
    }
});
