//! A test that hangs is ended, with a report that says where it waits.

use crate::support::Run;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

const PROVEN: &str = "nothing can wake it: every task of the scope is blocked";

/// Fails, says that it hangs, and these.
#[track_caller]
fn hangs(name: &str, says: &[&str]) -> Run {
    let run = Run::fixture(&format!("hang::{name}"));
    assert!(!run.passed, "{name} should fail:\n{}", run.text);
    run.shows(&[&format!("leakcheck: test fixtures::hang::{name} hangs"), "[test] "]).shows(says);
    run
}

/// Says these, in this order.
#[track_caller]
fn in_order(run: &Run, says: &[&str]) {
    let mut rest = run.text.as_str();
    for part in says {
        let Some(at) = rest.find(part) else {
            panic!("no {part:?} after the others:\n{}", run.text)
        };
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn in_a_channel() {
    let run = hangs("receive", &["hangs in `chan receive`\n", PROVEN, "(report above)"]);
    run.shows(&["^ the test itself waits here", "tests/leak/fixtures/hang.rs:"]);
    run.shows(&["= for:    a value on the channel made at", "1 sender is alive: "]);
    run.hides(&["[1]", "ended by unwinding"]);
    let run = hangs("send", &["hangs in `chan send`", PROVEN]);
    run.hides(&["Error:"]);
}

#[test]
fn with_its_tasks() {
    let run =
        hangs("receive_beside_tasks", &["hangs in `chan receive`, and 2 tasks of it\n", PROVEN]);
    run.shows(&[
        "[1] 2 tasks blocked in `chan receive`",
        "leakcheck: 2 tasks ended by unwinding, 0 abandoned",
        "panicked at",
    ]);
    hangs(
        "receive_beside_a_server",
        &["and 1 task of it", "leakcheck: 1 task ended by unwinding, 0"],
    );
    hangs("join", &["hangs in `join`, and 1 task of it", PROVEN, "leakcheck: 1 task ended"]);
    hangs("wait_group", &["hangs in `sync.WaitGroup.Wait`, and 1 task of it", PROVEN]);
}

#[test]
fn in_a_lock() {
    let run = hangs("lock", &["hangs in `sync.Mutex.Lock`, and 1 task of it", PROVEN]);
    run.shows(&[
        " (leaked, too: [1]) at tests/leak/fixtures/hang.rs:",
        "= holds:  the mutex that task 1 (the test itself) waits for, since tests/leak/fixtures/",
        "= parent: task 1 (the test itself)\n",
    ]);
    let run = hangs("under_a_lock", &["hangs in `chan receive`, and 2 tasks of it", PROVEN]);
    run.shows(&[
        "= holds:  the mutex that task ",
        " (leaked, too: [1]) wait for, since tests/leak/fixtures/hang.rs:",
        "= locked: by task 1 (the test itself) at tests/leak/fixtures/hang.rs:",
    ]);
    hangs("condition", &["hangs in `sync.Cond.Wait`\n", PROVEN]);
}

/// Who has called whom, from where it waits to the test's own function.
#[test]
fn its_frames_are_shown() {
    let run = hangs("in_a_helper", &[PROVEN]);
    in_order(
        &run,
        &[
            "\ngoroutine 1 [chan receive",
            "\nleak::fixtures::hang::helper(...)\n",
            "\nleak::fixtures::hang::in_a_helper",
            "/tests/leak/fixtures/hang.rs:",
        ],
    );
    run.hides(&["\ntest::", "\ncore::", "\nleakcheck::", "__rust_begin_short_backtrace"]);
}

#[test]
fn in_a_select() {
    hangs("several_channels", &["hangs in `select`\n", PROVEN]);
}

/// The children come before their parent, and the report before them all.
#[test]
fn in_a_scope() {
    // What a task prints is not captured, so that nothing must be for an order.
    let uncaptured = |name| {
        let path = format!("fixtures::hang::{name}");
        let run = Run::of(&["--ignored", "--exact", "--nocapture", &path], &[]);
        assert!(!run.passed, "{}", run.text);
        run
    };
    let run = uncaptured("end_of_scope");
    run.shows(&["hangs in `join`, and 1 task of it", PROVEN]);
    run.shows(&[
        "= for:    the end of 1 task of its `gopark::scope`, task ",
        " (leaked, too: [1])\n",
    ]);
    in_order(
        &run,
        &[
            "the task of the scope is unwound",
            "the borrowed value is dropped after the task",
            "leakcheck: 1 task ended by unwinding, 0 abandoned",
        ],
    );
    let run = uncaptured("middle_of_scope");
    run.shows(&["hangs in `chan receive`, and 1 task of it", PROVEN]);
    in_order(&run, &["[test] ", "the task of the scope is unwound", "leakcheck: 1 task ended"]);
}

#[test]
fn in_a_future() {
    let alone = "= for:    a future, whose waker nobody has any more\n";
    hangs("future", &["hangs in `block_on`\n", PROVEN, alone]);
    let waker = "= for:    a future, whose waker somebody has\n";
    told("future_with_a_waker", &["[test] waiting in `block_on`", "somebody has its waker", waker]);
}

#[test]
fn should_panic() {
    const NOT_PANICKED: &str = "test did not panic as expected";
    hangs("should_panic", &[NOT_PANICKED, PROVEN, "the test returns, so that #[should_panic]"]);
    hangs("should_panic_expected", &[NOT_PANICKED, PROVEN]);
    let run = Run::fixture("hang::should_panic_around_a_guard");
    assert!(!run.passed, "{}", run.text);
    run.shows(&["what runs in scope `inner` hangs", NOT_PANICKED, PROVEN]);
}

#[test]
fn the_report_comes_before_the_destructors() {
    let run = hangs("destructors", &[PROVEN]);
    in_order(&run, &["[test] ", "a destructor has run", "asked in a destructor: Err("]);
}

/// A destructor that hangs while its test panics gets an error.
#[test]
fn a_test_that_panics_already() {
    let run = hangs_or_panics("in_a_destructor");
    in_order(&run, &["the body's own words", "asked in a destructor: Err("]);
}

#[track_caller]
fn hangs_or_panics(name: &str) -> Run {
    let run = Run::fixture(&format!("hang::{name}"));
    assert!(!run.passed, "{name} should fail:\n{}", run.text);
    run
}

#[test]
fn a_swallowed_unwind() {
    let run = hangs("swallowed", &[PROVEN, "(report above)"]);
    in_order(&run, &["[test] ", "the body went on"]);
}

#[test]
fn guards() {
    let run = Run::fixture("hang::guard");
    assert!(!run.passed, "{}", run.text);
    run.shows(&[
        "what runs in scope `a guard's scope` hangs in `chan receive`, and 1 task of it",
        PROVEN,
        "leakcheck: 1 task ended by unwinding, 0 abandoned",
    ]);
    let run =
        Run::of(&["--ignored", "--exact", "--nocapture", "fixtures::hang::guard_in_a_task"], &[]);
    assert!(run.passed, "{}", run.text);
    run.shows(&[
        "what runs in scope `a task's scope` hangs in `chan receive`, and 1 task of it",
        PROVEN,
        "the task was unwound",
    ]);
}

#[test]
fn nothing_stays_for_the_next_test() {
    let one = ["--ignored", "--exact", "--nocapture", "fixtures::hang::then_another"];
    let run = Run::of(&one, &[]);
    assert!(run.passed, "{}", run.text);
    run.shows(&["what runs in scope `first` hangs", "the second one is well"]);
    run.hides(&["`second` hangs"]);
}

#[test]
fn only_the_right_ones() {
    let run = Run::of(&["--ignored", "fixtures::hang::several::", "--test-threads=4"], &[]);
    run.must_have_run(4);
    run.shows(&[
        "several::hangs ... FAILED",
        "several::hangs_too ... FAILED",
        "several::waits ... ok",
        "several::works ... ok",
        "test fixtures::hang::several::hangs hangs in `chan receive`\n",
        "test fixtures::hang::several::hangs_too hangs in `join`, and 2 tasks of it\n",
    ]);
}

/// There may be a mistake in it.
#[test]
fn a_rule_for_nothing_is_told_of_beside_a_hang() {
    let idle = "\n\nleakcheck: a rule of this check has left nothing out: ";
    let run = hangs("with_a_rule_for_nothing", &["and 1 task of it\n", PROVEN]);
    run.shows(&[&format!("{idle}ignore_name exact(\"none\")\n\n")]);
    assert_eq!(run.text.matches("left nothing out").count(), 1, "{}", run.text);
    let text = told("beside_a_thread_with_a_rule", &["that the runtime does not know", idle]);
    assert_eq!(text.matches("left nothing out").count(), 1, "{text}");
    // Where there was nothing that it could have left out, it is no mistake.
    hangs("alone_with_a_rule", &[PROVEN]).hides(&["left nothing out"]);
}

/// Runs a fixture that stands still until its input ends a line, which comes when it
/// was told of, once, with these words. Then it passes.
#[track_caller]
fn told(name: &str, says: &[&str]) -> String {
    let path = format!("fixtures::hang::{name}");
    // Nothing is captured that the watcher says.
    let mut command =
        Run::command(&["--ignored", "--exact", &path], &[("LEAKCHECK_HANG_MS", "50")]);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("this binary runs");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut text = String::new();
    while !text.contains("it is left alone") {
        let read = stderr.read_line(&mut text).expect("text");
        assert_ne!(read, 0, "it ended without a word:\n{text}");
    }
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"\n").expect("it reads");
    std::io::Read::read_to_string(&mut stderr, &mut text).expect("text");
    let output = child.wait_with_output().expect("it ends");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{stdout}");
    assert!(stdout.contains("running 1 test"), "{stdout}");
    let headline = format!("leakcheck: test {path} has not moved for ");
    assert_eq!(text.matches(&headline).count(), 1, "{text}");
    for part in says {
        assert!(text.contains(part), "does not say {part:?}:\n{text}");
    }
    text
}

#[test]
fn what_cannot_be_proven_is_told_once() {
    let in_std = ["[test] blocked outside of the runtime", "such a call cannot be unwound"];
    // Its thread says where it is, if it gets a CPU in time.
    let where_it_is =
        ["\ngoroutine 1 [running, locked to thread]:\n", "\nleak::fixtures::hang::in_std"];
    let says = |text: String| where_it_is.iter().all(|part| text.contains(part));
    assert!((0..9).any(|_| says(told("in_std", &in_std))), "where it is");
    told(
        "beside_a_thread",
        &[
            "the test itself waits here",
            "may yet be woken by 1 thread that the runtime does not know (`reader`)",
        ],
    );
}
