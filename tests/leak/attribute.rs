//! The attribute in all its places, on tests that pass.

use gopark::{Builder, chan, go};
use leakcheck::verify_none;

#[verify_none]
#[test]
fn above() {
    go(|| ()).join().unwrap();
}

#[test]
#[verify_none]
fn below() {
    go(|| ()).join().unwrap();
}

#[leakcheck::verify_none()]
#[core::prelude::v1::test]
fn by_full_paths() -> Result<(), gopark::JoinError> {
    let number = go(|| 1).join()?;
    assert_eq!(number, 1);
    Ok(())
}

#[test]
#[verify_none]
#[should_panic(expected = "as it should")]
fn expected_panic() {
    go(|| ()).join().unwrap();
    panic!("as it should");
}

#[verify_none]
#[test]
fn returns_an_exit_code() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}

#[verify_none]
#[test]
fn returns_something_unnamed() -> impl std::process::Termination {
    std::process::ExitCode::SUCCESS
}

#[verify_none]
#[test]
fn r#match() {
    // The body sees nothing of the code around it.
    let (case, body) = (1, 2);
    assert_eq!(case + body, 3);
}

#[verify_none]
#[test]
fn early_return() {
    if gopark::maxprocs() > 0 {
        return;
    }
    unreachable!();
}

/// The check waits for tasks that end by themselves.
#[verify_none(deadline = "60s")]
#[test]
fn tasks_that_end_late() {
    for _ in 0..1000 {
        go(|| go(gopark::yield_now));
    }
}

#[verify_none]
#[test]
fn daemons_may_stay() {
    let rx = crate::fixtures::silent();
    Builder::new().daemon().go(move || rx.recv()).unwrap();
}

#[verify_none(ignore_name = "accountant", ignore_name = "clerk")]
#[test]
fn names_may_stay() {
    for name in ["clerk", "accountant"] {
        let rx = crate::fixtures::silent();
        Builder::new().name(name).go(move || rx.recv()).unwrap();
    }
}

#[verify_none(ignore_entry = "leak::fixtures::leak_a_lock")]
#[test]
fn entries_may_stay() {
    crate::fixtures::leak_a_lock();
}

#[verify_none(ignore_site = "leak/fixtures/mod.rs", settle = "0", deadline = "5s")]
#[test]
fn sites_may_stay() {
    crate::fixtures::leak_a_sender();
    let (tx, rx) = chan::rendezvous();
    go(move || tx.send(1));
    assert_eq!(rx.recv(), Ok(1));
}
