//! Takes over from `gopark` whether the runtime exists on the target, and decides
//! whether `pthread_create` can be wrapped.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(runtime, wrap_threads)");
    if env::var("DEP_GOPARK_RUNTIME").as_deref() != Ok("true") {
        return;
    }
    println!("cargo::rustc-cfg=runtime");
    // Where the C library is a shared one whose functions can be replaced.
    let is = |name: &str, wanted: &str| {
        env::var(name).is_ok_and(|value| value.split(',').any(|part| part == wanted))
    };
    if is("CARGO_CFG_TARGET_ENV", "gnu") && !is("CARGO_CFG_TARGET_FEATURE", "crt-static") {
        println!("cargo::rustc-cfg=wrap_threads");
    }
}
