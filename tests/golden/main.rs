//! The dump that Go's tools read, compared with a text that is checked in and
//! with the grammar.
//!
//! `GOLDEN_UPDATE=1` writes the text anew.

#[path = "../it/child.rs"]
mod child;
mod grammar;
mod kinds;
#[path = "../no_alloc.rs"]
mod no_alloc;
mod set;

use child::{alone, here, inside};
use gopark::inspect::{GoDump, Kind, Snapshot, TaskProfile, write_go_dump};
use grammar::Block;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: no_alloc::Checked = no_alloc::Checked;

/// Who runs does not go before it says so.
const ONE_COOPERATIVE: &[(&str, &str)] =
    &[("GOPARK_MAXPROCS", "1"), ("GOPARK_DEBUG", "asyncpreemptoff=1")];

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/dump.txt")
}

#[test]
fn the_dump_of_a_mixed_set_is_the_one_that_is_checked_in() {
    if inside(here!()) {
        return set::with_all(&|| {
            let dump = Snapshot::all().to_string();
            let blocks = grammar::parse(&dump).unwrap_or_else(|error| panic!("{error}\n{dump}"));
            assert_eq!(blocks.len(), set::SIZE, "{dump}");
            let normal = normalise(&blocks);
            if std::env::var_os("GOLDEN_UPDATE").is_some() {
                std::fs::write(golden(), &normal).unwrap();
            }
            let expected = std::fs::read_to_string(golden()).unwrap_or_default();
            assert_eq!(normal, expected, "GOLDEN_UPDATE=1 accepts the new text");
        });
    }
    alone(here!(), ONE_COOPERATIVE, || unreachable!("runs in the child"));
}

/// Numbers in the order in which they appear, paths from the workspace on, lines
/// only in the file that makes the set.
fn normalise(blocks: &[Block<'_>]) -> String {
    let mut numbers = HashMap::new();
    let mut number = |id: u64| {
        let next = numbers.len() + 1;
        format!("N{}", numbers.entry(id).or_insert(next))
    };
    let place = |place: &grammar::Place<'_>| {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let root = root.parent().expect("the workspace").to_str().expect("text");
        let path = place.path.strip_prefix(root).unwrap_or(place.path).trim_start_matches('/');
        match path.ends_with("golden/set.rs") {
            true => format!("{path}:{}", place.line),
            false => format!("{path}:LINE"),
        }
    };
    // First all that are there, so that their numbers are in the order of the dump.
    blocks.iter().for_each(|block| drop(number(block.id)));
    let texts = blocks.iter().map(|block| {
        let mut text = format!("goroutine {} [{}", number(block.id), block.status);
        text += if block.leaked { " (leaked)" } else { "" };
        text += if block.locked { ", locked to thread" } else { "" };
        text += "]:\n";
        for frame in &block.frames {
            text += &format!("{}(...)\n\t{} +0xOFFSET\n", frame.function, place(&frame.place));
        }
        if let Some(made) = &block.created_by {
            text += &format!("created by {}", made.function);
            text +=
                &made.parent.map_or(String::new(), |id| format!(" in goroutine {}", number(id)));
            text += &format!("\n\t{} +0x0\n", place(&made.place));
        }
        text
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// Two hundred tasks in all states, with their frames, read back whole.
#[test]
fn a_dump_with_frames_is_read_back_whole() {
    if inside(here!()) {
        let more = set::more(200 - set::SIZE);
        set::with_all(&|| {
            let snapshot = Snapshot::all().with_frames();
            let dump = snapshot.to_string();
            let blocks = grammar::parse(&dump).unwrap_or_else(|error| panic!("{error}\n{dump}"));
            assert_eq!(blocks.len(), 200, "{dump}");
            for (block, task) in blocks.iter().zip(&snapshot.tasks) {
                assert_eq!(block.id, task.id.get());
                let shown: Vec<_> = task.frames().filter(|frame| frame.line.is_some()).collect();
                let all: Vec<_> =
                    block.frames.iter().map(|it| (it.function, it.place.line)).collect();
                let seen = |frame: &&gopark::inspect::Frame| frame.line.unwrap();
                let expected = shown.iter().map(|it| (it.function.as_str(), seen(it)));
                // Without frames it is one that is made up.
                assert!(shown.is_empty() && all.len() == 1 || expected.eq(all), "{block:?}");
                let made = block.created_by.as_ref();
                assert_eq!(made.is_some(), task.kind == Kind::Task);
                assert_eq!(made.and_then(|it| it.parent), task.parent.map(|it| it.get()));
                if task.wait.is_some() {
                    assert!(!shown.is_empty(), "{block:?}");
                }
            }
            for status in ["running", "runnable", "chan send", "join", "sleep", "sync.Mutex.Lock"] {
                assert!(blocks.iter().any(|it| it.status == status), "{status}\n{dump}");
            }
            assert!(blocks.iter().any(|it| it.leaked) && blocks.iter().any(|it| it.locked));
            other_forms(&snapshot, &dump);
        });
        drop(more);
        return;
    }
    alone(here!(), ONE_COOPERATIVE, || unreachable!("runs in the child"));
}

/// Tasks in every state, parked for every reason, for some minutes or none.
#[test]
fn every_state_and_reason_is_read_back() {
    const EACH: usize = 10;
    alone(here!(), &[("GOPARK_MAXPROCS", "1"), ("GOPARK_SLICE", "1ms")], || {
        let kinds = kinds::KINDS.iter().flat_map(|kind| std::iter::repeat_n(kind.1, EACH));
        let tasks: Vec<_> = kinds.map(|start| start()).collect();
        let hogs = [kinds::hog(), kinds::hog()];
        let ids: HashSet<_> = tasks.iter().map(|task| task.id()).collect();
        let wanted = kinds::KINDS.iter().map(|kind| kind.0);
        let wanted: BTreeSet<_> = wanted.chain(["running", "preempted", "runnable"]).collect();
        let mut seen = BTreeSet::new();
        let (mut all_wait, mut calls) = (false, 0);
        // A look may come before they are all there, or where nobody is just ready.
        for _ in 0..100_000 {
            if all_wait && seen == wanted {
                break;
            }
            // One to two hogs, and who comes and goes.
            let ready = gopark::go(|| ());
            let mut snapshot = Snapshot::all().with_frames();
            ready.join().unwrap();
            let ages = snapshot.tasks.iter_mut().filter_map(|task| match &mut task.wait {
                Some(wait) => Some(&mut wait.age),
                None => task.call_age.as_mut(),
            });
            ages.enumerate().for_each(|(n, age)| *age = Duration::from_secs(n as u64 % 7 * 30));
            let dump = snapshot.to_string();
            let blocks = grammar::parse(&dump).unwrap_or_else(|error| panic!("{error}\n{dump}"));
            assert!(blocks.len() >= tasks.len() + hogs.len(), "{dump}");
            for (block, task) in blocks.iter().zip(&snapshot.tasks) {
                let age = task.wait.map(|wait| wait.age).or(task.call_age);
                let minutes = age.map_or(0, |age| age.as_secs() / 60);
                assert_eq!(block.minutes, (minutes > 0).then_some(minutes), "{block:?}");
                calls += u32::from(block.status == "syscall" && minutes > 0);
                seen.extend(wanted.get(block.status));
            }
            let mut go = String::new();
            GoDump::new().go_files(true).labels(true).write(&mut go, &snapshot.tasks).unwrap();
            // Some is C, and what the system library has of assembler.
            assert!(go.replace(".go:", ":") == dump, "{go}");
            let places = go.lines().filter(|line| line.starts_with('\t'));
            let go_only = |line: &str| line.rsplit_once(':').unwrap().0.ends_with(".go");
            assert!(places.into_iter().all(go_only), "{go}");
            let mine = snapshot.tasks.iter().filter(|task| ids.contains(&task.id));
            all_wait = mine.filter(|task| task.wait.is_some() || task.call.is_some()).count()
                == tasks.len();
        }
        assert_eq!(seen, wanted);
        assert!(all_wait);
        assert!(calls > 0, "no call lasts for minutes");
    });
}

fn other_forms(snapshot: &Snapshot, dump: &str) {
    let mut go = String::new();
    GoDump::new().go_files(true).labels(true).write(&mut go, &snapshot.tasks).unwrap();
    assert_eq!(go.replace(".rs.go:", ".rs:"), dump);
    assert!(grammar::parse(&go).is_ok() && go.contains(".rs.go:"));

    let mut all = String::new();
    GoDump::new().runtime_frames(true).write(&mut all, &snapshot.tasks).unwrap();
    grammar::parse(&all).unwrap_or_else(|error| panic!("{error}\n{all}"));
    assert!(all.contains("gopark::task::entry::main(...)") && !dump.contains("gopark::task::"));

    let mut labels = String::new();
    GoDump::new().labels(true).write(&mut labels, &snapshot.tasks).unwrap();
    assert!(labels.contains("[chan receive] {\"name\": \"one \\\"of\\\" many\", \"n\": \"1\"}:\n"));

    let profile = TaskProfile::of(&snapshot.tasks).text();
    let mut lines = profile.lines();
    assert_eq!(lines.next(), Some("goroutine profile: total 200"));
    let counts: Vec<usize> = lines
        .filter_map(|line| line.split_once(" @ 0x").or_else(|| line.split_once(" @")))
        .map(|(count, _)| count.parse().unwrap())
        .collect();
    assert_eq!(counts.iter().sum::<usize>(), 200, "{profile}");
    assert!(counts.is_sorted_by(|a, b| a >= b) && counts[0] > 50, "{counts:?}");
    assert!(profile.contains("\n# labels: {\"name\":\"one \\\"of\\\" many\", \"n\":\"1\"}\n#\t0x"));

    let json: serde_json::Value = serde_json::from_str(&snapshot.to_json()).unwrap();
    let tasks = json.as_array().unwrap();
    assert_eq!(tasks.len(), 200);
    for (json, task) in tasks.iter().zip(&snapshot.tasks) {
        assert_eq!(json["id"], task.id.get());
        assert_eq!(json["reason"].as_str(), task.wait.map(|wait| wait.reason.as_str()));
        let frames = json["frames"].as_array().map_or(0, Vec::len);
        assert_eq!(frames, task.frames().count());
        assert_eq!(json["name"].as_str(), task.name.as_deref());
    }
}

#[test]
fn a_dump_of_a_busy_process_obeys_the_grammar() {
    alone(here!(), &[], || {
        let load = set::Load::start();
        let mut seen = 0;
        for _ in 0..300 {
            let all = Snapshot::all();
            let all = if seen % 2 == 0 { all } else { all.with_frames() };
            let dump = all.to_string();
            match grammar::parse(&dump) {
                Ok(blocks) => seen += blocks.len(),
                Err(error) => panic!("{error}\n{dump}"),
            }
        }
        assert!(seen > 300, "there was something to be seen");
        load.stop();
    });
}

#[test]
fn nothing_is_dumped_as_nothing() {
    let mut text = String::new();
    write_go_dump(&mut text, &[]).unwrap();
    assert_eq!(text, "");
    assert!(grammar::parse("").unwrap().is_empty());
}

#[test]
fn an_error_of_the_writer_comes_back() {
    struct Full(usize);
    impl fmt::Write for Full {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    // The calling thread is one of those that are dumped.
    drop(gopark::Scope::current());
    let snapshot = Snapshot::all();
    let size = snapshot.to_string().len();
    assert!(write_go_dump(&mut Full(size), &snapshot.tasks).is_ok());
    for room in [0, 1, size / 2, size - 1] {
        assert!(write_go_dump(&mut Full(room), &snapshot.tasks).is_err(), "{room} of {size}");
    }
}
