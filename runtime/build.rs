//! Decides whether the runtime exists on the target.
//!
//! `cfg(runtime)` switches it on. Dependents with a build script of their own
//! read the answer from `DEP_GOPARK_RUNTIME`, thanks to the `links` key, which
//! is there for a second reason: Cargo refuses two copies of the runtime in one
//! program, as a process has one set of signals and stacks.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(runtime)");
    let is =
        |key: &str, values: &[&str]| values.contains(&env::var(key).unwrap_or_default().as_str());
    let flag = |name: &str| env::var_os(format!("CARGO_CFG_{name}")).is_some();
    let target = is("CARGO_CFG_TARGET_OS", &["linux"])
        && is("CARGO_CFG_TARGET_ARCH", &["x86_64", "aarch64"]);
    // Miri cannot switch stacks; `gopark_unsupported` stands for any other
    // target in tests; loom compiles the models only.
    let supported = target && !flag("MIRI") && !flag("GOPARK_UNSUPPORTED") && !flag("LOOM");
    if supported {
        println!("cargo::rustc-cfg=runtime");
    }
    println!("cargo::metadata=runtime={supported}");
}
