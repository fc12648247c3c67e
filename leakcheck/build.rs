//! Takes over from `gopark` whether the runtime exists on the target.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(runtime)");
    if env::var("DEP_GOPARK_RUNTIME").as_deref() == Ok("true") {
        println!("cargo::rustc-cfg=runtime");
    }
}
