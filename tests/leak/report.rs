//! What a report shows.

use crate::fixtures::silent;
use crate::support::{alone, here};
use gopark::{Builder, Scope, chan, go};
use leakcheck::{Filter, find};
use std::mem;
use std::path::Path;

/// The report on the current scope, with what differs from run to run replaced.
fn report() -> String {
    let leaks = find(&Filter::new()).expect_err("a leak");
    let text = leaks.to_string();
    leaks.reap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let text = text.replace(root.to_str().expect("a path"), "/…");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for line in &mut lines {
        if let Some((place, offset)) = line.split_once(" +0x")
            && offset != "0"
        {
            assert!(u32::from_str_radix(offset, 16).is_ok(), "{line}");
            *line = format!("{place} +OFFSET");
        }
        if let Some((before, age)) = line.rsplit_once(" for ")
            && line.starts_with('[')
        {
            assert!(age.ends_with(" ms"), "{age}");
            *line = format!("{before} for AGE");
        }
    }
    lines.join("\n")
}

#[test]
fn one_leak() {
    alone(here!(), || {
        let scope = Scope::new("shop");
        let _in = scope.enter();
        let (tx, rx) = chan::rendezvous::<u8>();
        mem::forget(tx);
        let baker = Builder::new().name("clerk").label("shop", "baker").label("day", "1");
        let go = baker.go(move || {
            let answer = rx.recv();
            answer.map(u64::from)
        });
        let (channel, made, waits) = (line!() - 7, line!() - 4, line!() - 3);
        drop(go);
        let expected = format!(
            "\
leakcheck: 1 task leaked in scope `shop`

[1] 1 task blocked in `chan receive` for AGE
  --> tests/leak/report.rs:{waits}:29
   |
{waits} |     let answer = rx.recv();
   |                     ^ waits here
  ::: tests/leak/report.rs:{made}:24
   |
{made} | let go = baker.go(move || {{
   |                ^ made here, by leak::report::one_leak
   |
   = runs:   leak::report::one_leak::{{{{closure}}}}::{{{{closure}}}}
   = task:   2
   = parent: task 1 (which makes this check)
   = name:   clerk
   = labels: day=1, shop=baker
   = for:    a value on the channel made at tests/leak/report.rs:{channel}:24 (no buffer)
             1 sender is alive: made with the channel, not used yet
   = why:    nothing can wake it: no other task of the scope runs, sleeps or waits for IO, no timer \
             is set, and no task or thread outside could reach it

goroutine 2 [chan receive (leaked)]:
leak::report::one_leak::{{{{closure}}}}::{{{{closure}}}}(...)
\t/…/tests/leak/report.rs:{waits} +OFFSET
created by leak::report::one_leak::{{{{closure}}}} in goroutine 1
\t/…/tests/leak/report.rs:{made} +0x0"
        );
        assert_eq!(report(), expected);
    });
}

/// Of one that waits for a lock, who has it, and where that was taken.
#[test]
fn a_lock() {
    alone(here!(), || {
        let scope = Scope::new("shop");
        let _in = scope.enter();
        let lock = std::sync::Arc::new(gopark::sync::Mutex::new(()));
        let taken = lock.clone();
        go(move || {
            let _guard = taken.lock();
            let _ = silent().recv();
        });
        let site = line!() - 3;
        while !lock.is_locked() {
            gopark::yield_now();
        }
        go(move || drop(lock.lock()));
        let text = report();
        let line =
            format!("   = locked: by task 2 (leaked, too: [1]) at tests/leak/report.rs:{site}:32");
        assert!(text.lines().any(|one| one == line), "{text}");
        assert_eq!(text.matches("= locked").count(), 1, "{text}");
    });
}

/// Equal tasks are one block, the largest first; a block of more than ten shows
/// one of them in the dump.
#[test]
fn groups() {
    alone(here!(), || {
        let scope = Scope::new("shop");
        let _in = scope.enter();
        let rx = silent();
        for n in 0..10 {
            let rx = rx.clone();
            Builder::new().name(format!("clerk {n}")).go(move || rx.recv()).unwrap();
        }
        let (tx, kept) = chan::rendezvous();
        mem::forget(kept);
        for n in 0..11 {
            let tx = tx.clone();
            go(move || tx.send(n));
        }
        go(move || go(move || tx.send(1)).join());

        let text = report();
        let heads: Vec<&str> = text.lines().filter(|line| line.starts_with('[')).collect();
        assert_eq!(
            heads,
            [
                "[1] 11 tasks blocked in `chan send` for AGE",
                "[2] 10 tasks blocked in `chan receive` for AGE",
                "[3] 1 task blocked in `join` for AGE",
                "[4] 1 task blocked in `chan send` for AGE",
            ]
        );
        assert!(text.starts_with("leakcheck: 23 tasks leaked in scope `shop`\n"), "{text}");
        assert!(
            text.contains("clerk 0, clerk 1, clerk 2, clerk 3, clerk 4, … (10 names)"),
            "{text}"
        );
        assert!(
            text.ends_with("\n\n(10 tasks left out of the dump: equal to one above)"),
            "{text}"
        );
        let dumped = text.lines().filter(|line| line.starts_with("goroutine ")).count();
        assert_eq!(dumped, 1 + 10 + 1 + 1);
    });
}

/// The dump shows the way to where it waits, and a filter can see it too.
#[test]
fn the_way_to_the_wait() {
    #[inline(never)]
    fn first(rx: &chan::Receiver<u8>) {
        std::hint::black_box(second(rx));
    }
    #[inline(never)]
    fn second(rx: &chan::Receiver<u8>) -> bool {
        std::hint::black_box(rx.recv().is_ok())
    }
    alone(here!(), || {
        let scope = Scope::new("shop");
        let _in = scope.enter();
        let rx = silent();
        for _ in 0..11 {
            let rx = rx.clone();
            go(move || first(&rx));
        }
        go(|| first(&silent()));
        let leaks = find(&Filter::new()).expect_err("a leak");
        let text = leaks.to_string();
        let (_, dump) = text.split_once("\n\ngoroutine ").expect("a dump");
        // Both groups, each with the whole way.
        for task in dump.split("\n\ngoroutine ").filter(|task| task.contains("created by")) {
            let at = |what: &str| task.find(what).unwrap_or_else(|| panic!("{what}: {task}"));
            assert!(at("::second(...)") < at("::first(...)"), "{task}");
            assert!(at("::first(...)") < at("the_way_to_the_wait::{{closure}}"), "{task}");
            assert!(!task.contains("gopark::"), "{task}");
        }
        let with_frames = leaks.tasks().iter().filter(|task| task.frames().count() >= 3).count();
        assert_eq!(with_frames, 2, "of each group what is dumped");
        leaks.reap();
    });
}
