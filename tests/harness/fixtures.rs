//! Tests that the others run in a process of their own.

use gopark::{Scope, chan, go};
use std::mem;
use std::process::ExitCode;

fn leave() {
    let (tx, rx) = chan::rendezvous::<u8>();
    mem::forget(tx);
    go(move || rx.recv());
}

#[leakcheck::test(ignore = "a fixture")]
fn is_clean() {
    go(|| ()).join().unwrap();
    assert_eq!(std::thread::current().name(), Some("fixtures::is_clean"));
}

#[leakcheck::test]
#[ignore = "a fixture"]
fn leaves_one() {
    leave();
}

#[leakcheck::test(ignore)]
fn fails() {
    panic!("in its own words");
}

#[leakcheck::test(ignore)]
fn fails_and_leaves_one() {
    leave();
    panic!("in its own words");
}

#[leakcheck::test(ignore)]
fn returns_an_error() -> Result<(), String> {
    Err("no luck".into())
}

#[leakcheck::test(ignore)]
fn returns_an_error_and_leaves_one() -> Result<(), String> {
    leave();
    Err("no luck".into())
}

#[leakcheck::test(ignore)]
fn returns_fine() -> Result<(), String> {
    Ok(())
}

#[leakcheck::test(ignore)]
fn returns_a_code() -> ExitCode {
    ExitCode::from(7)
}

#[leakcheck::test(ignore, should_panic)]
fn panics_as_it_should() {
    panic!("whatever");
}

#[leakcheck::test(ignore, should_panic = "sold out")]
fn says_what_it_should() {
    panic!("all is {} out", "sold");
}

#[leakcheck::test(ignore)]
#[should_panic(expected = "sold out")]
fn says_something_else() {
    panic!("out of order");
}

#[leakcheck::test(ignore, should_panic)]
fn does_not_panic() {}

#[leakcheck::test(ignore, should_panic)]
fn panics_as_it_should_and_leaves_one() {
    leave();
    panic!("whatever");
}

#[leakcheck::test(ignore, ignore_entry = "harness::fixtures::leave")]
fn leaves_one_that_may_stay() {
    leave();
}

/// Seen only at the end of the program.
#[leakcheck::test(ignore)]
fn leaves_one_of_no_test() {
    let all = Scope::all();
    let root = all.iter().find(|scope| scope.name() == "root").expect("it is always there");
    let _in = root.enter();
    leave();
}
