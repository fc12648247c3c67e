//! Where the runtime does not exist, tests run unchecked, which is said once.

use crate::support::Cargo;

#[test]
fn tests_pass_through_and_it_is_said_once() {
    let mut cargo = Cargo::new();
    // Other flags, so another folder: this one's artefacts stay fresh.
    cargo.target("unsupported").args(&["test", "--package", "leakcheck", "--lib"]);
    cargo.env("RUSTFLAGS", "--cfg gopark_unsupported");
    let run = cargo.run();
    assert!(run.passed, "{}", run.text);
    run.shows(&[
        "verify::tests::a_test_runs ... ok",
        "verify::tests::with_a_result ... ok",
        "verify::tests::with_a_panic - should panic ... ok",
    ]);
    assert_eq!(run.text.matches("tests run unchecked").count(), 1, "{}", run.text);
}
