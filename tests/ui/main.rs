//! Compile errors of the macros: each points at what is wrong and says what is
//! right.
//!
//! `TRYBUILD=overwrite cargo test -p gopark-tests --test ui` writes down what
//! the compiler says now.

#[test]
fn macro_errors() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/verify_none/pass/*.rs");
    cases.pass("ui/registered/pass/*.rs");
    cases.pass("ui/test/pass/*.rs");
    cases.pass("ui/test_main/pass/*.rs");
    cases.pass("ui/cooperative/pass/*.rs");
    cases.pass("ui/select/pass/*.rs");
    cases.compile_fail("ui/verify_none/*.rs");
    cases.compile_fail("ui/registered/*.rs");
    cases.compile_fail("ui/test/*.rs");
    cases.compile_fail("ui/test_main/*.rs");
    cases.compile_fail("ui/cooperative/*.rs");
    cases.compile_fail("ui/select/*.rs");
}
