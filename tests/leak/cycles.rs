//! Locks whose owners wait for each other are proven at once, whatever else runs: the
//! deadline of these tests is an hour.

use crate::support::Run;

#[track_caller]
fn fails(name: &str, says: &[&str]) -> Run {
    let run = Run::fixture(&format!("cycles::{name}"));
    assert!(!run.passed, "{name} should fail:\n{}", run.text);
    run.shows(says);
    run
}

const PART: &str = "= why:    it is part of the deadlock above, which nothing ends";

#[test]
fn two_tasks() {
    let run = fails(
        "two_tasks",
        &[
            "leakcheck: 2 tasks leaked by test fixtures::cycles::two_tasks\n",
            "[deadlock] 2 locks whose owners wait for each other\n",
            "(`store`) waits for mutex A here\n",
            "took it here\n",
            "(`store`) → mutex A → task ",
            "= beside: 1 task of the scope that was not waited for",
            PART,
            "leakcheck: 3 tasks ended by unwinding, 0 abandoned",
        ],
    );
    // Where each waits, and where each took what the other wants.
    for line in ["let _one = one.lock();", "let _other = other.lock();"] {
        assert!(run.text.contains(line), "{}", run.text);
    }
    run.hides(&["[3]", "sleeping"]);
}

#[test]
fn one_task() {
    fails(
        "one_task",
        &[
            "1 task leaked by test",
            "[deadlock] a lock that its owner waits for\n",
            "waits for the mutex here, which it has itself\n",
            "took it here\n",
            PART,
        ],
    );
    fails("twice_at_one_place", &["which it has itself\n", "took it here, earlier\n"]);
    fails(
        "once_in_itself",
        &["waits for the once here, which it has itself", "does it since here"],
    );
}

#[test]
fn and_those_behind() {
    fails(
        "and_those_behind",
        &[
            "3 tasks leaked by test",
            "[deadlock] a lock that its owner waits for\n",
            "it waits behind the deadlock above, which nothing ends",
            PART,
        ],
    );
}

#[test]
fn two_rings() {
    let run = fails("two_rings", &["4 tasks leaked by test", "[deadlock 1] 2 locks"]);
    run.shows(&["[deadlock 2] 2 locks"]);
}

#[test]
fn the_test_itself() {
    let hangs = "hangs in `sync.Mutex.Lock`";
    let part = "it is part of the deadlock below, which nothing ends";
    fails(
        "the_test_with_itself",
        &[
            hangs,
            part,
            "the test waits for the mutex here, which it has itself",
            "the test took it",
        ],
    );
    fails(
        "the_test_with_a_task",
        &[hangs, ", and 1 task of it\n", part, "the test waits for mutex A here", PART],
    );
    fails(
        "the_test_waits_for_them",
        &[
            "hangs in `join`, and 2 tasks of it",
            "tasks of it wait for each other for ever",
            "although 1 other task may run on",
            "[deadlock] 2 locks",
        ],
    );
}

#[test]
fn readers() {
    fails(
        "a_writer_between_two_reads",
        &[
            "hangs in `sync.RWMutex.RLock`, and 1 task of it\n",
            "the test waits to read the rwlock here\n",
            "[deadlock] a lock whose reader and writer wait for each other\n",
            "waits to write the rwlock here\n",
            "the test reads since here\n",
            "let first = lock.read();",
            "= why:    who reads already waits to read again, behind a writer that waits for it",
            PART,
        ],
    );
    fails(
        "a_read_inside_a_write",
        &["waits to read the rwlock here, which it has itself", "took it to write here\n", PART],
    );
    fails(
        "a_writer_that_became_a_reader",
        &["waits to write the rwlock here, which it has itself", "reads since here", PART],
    );
}

#[test]
fn no_rings() {
    for name in ["limited", "left_out"] {
        let run = Run::fixture(&format!("cycles::{name}"));
        assert!(run.passed, "{}", run.text);
        run.hides(&["leakcheck:"]);
    }
}
