//! Compiles the C code of the tests. Only the binary that names a library links it.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=crash/deep.c");
    cc::Build::new()
        .file("crash/deep.c")
        .cargo_metadata(false)
        .warnings(false)
        .opt_level(1)
        // Frames are made without touching their pages in order.
        .flag("-fno-stack-clash-protection")
        .flag("-fno-stack-protector")
        .flag("-fno-optimize-sibling-calls")
        .compile("gopark_crash");
    println!("cargo::rerun-if-changed=leak/thread.c");
    cc::Build::new().file("leak/thread.c").cargo_metadata(false).compile("gopark_leak");
    println!("cargo::rerun-if-changed=sanitized/sanitizer.c");
    cc::Build::new()
        .file("sanitized/sanitizer.c")
        .cargo_metadata(false)
        .compile("gopark_sanitizer");
    println!("cargo::rustc-link-search=native={}", env::var("OUT_DIR").expect("set by cargo"));
}
