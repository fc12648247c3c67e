//! The tasks counted by what they are in the middle of.

use super::frames::{computes, short};
use crate::child::{alone, here};
use crate::support::{Gate, ONE_COOPERATIVE, on_one_thread, parked, until, until_some};
use gopark::inspect::{Snapshot, TaskInfo, TaskProfile, TaskSample, WaitReason, task_profile};
use gopark::{Builder, JoinHandle, Scope, go, no_park};
use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[inline(never)]
fn waits(gate: &Gate) {
    gate.pass();
    // It is no tail call.
    black_box(());
}

/// More than are read at a time.
const MANY: usize = 600;

fn waiting(gate: &Gate, of: impl Fn(usize) -> Builder) -> Vec<JoinHandle<()>> {
    let start = |n| {
        let gate = gate.clone();
        of(n).go(move || waits(&gate)).expect("a task")
    };
    let tasks: Vec<_> = (0..MANY).map(start).collect();
    tasks.iter().for_each(|task| drop(parked(task.id(), WaitReason::ChanReceive)));
    tasks
}

/// Those of which the function is among the frames, with these labels.
fn of<'a>(profile: &'a TaskProfile, function: &str, labels: &[(&str, &str)]) -> &'a TaskSample {
    let fits = |sample: &&TaskSample| {
        let mut frames = sample.trace.iter().flat_map(|trace| trace.frames());
        let has: Vec<_> = sample.labels.iter().map(|(key, value)| (&**key, &**value)).collect();
        has == labels && frames.any(|frame| short(frame) == function)
    };
    let mut found = profile.samples.iter().filter(fits);
    let one = found.next().unwrap_or_else(|| panic!("{function} {labels:?}:\n{}", profile.text()));
    assert!(found.next().is_none(), "equal ones are one:\n{}", profile.text());
    one
}

#[test]
fn all_are_counted() {
    alone(here!(), &[], || {
        let (gate, over) = (Gate::new(), Arc::new(AtomicBool::new(false)));
        let mut tasks = waiting(&gate, |_| Builder::new());
        tasks.extend(waiting(&gate, |n| {
            Builder::new().name("one").label("even", (n % 2).to_string())
        }));
        let until_over = over.clone();
        tasks.push(go(move || computes(&until_over)));
        let held = gate.clone();
        let thread = std::thread::spawn(move || waits(&held));
        drop(Scope::current());

        let profile = until_some("all are where they stay", || {
            let profile = task_profile();
            let computes = profile.text().contains("computes");
            let thread = profile.samples.iter().any(|it| it.count == 1 && it.entry == "thread");
            (computes && thread && profile.total() == 2 * MANY + 3).then_some(profile)
        });
        assert_eq!(of(&profile, "waits", &[("name", "one"), ("even", "0")]).count, MANY / 2);
        assert_eq!(of(&profile, "waits", &[("name", "one"), ("even", "1")]).count, MANY / 2);
        assert_eq!(of(&profile, "computes", &[]).count, 1);
        let threads = profile.samples.iter().filter(|sample| sample.entry == "thread");
        let mut innermost: Vec<_> = threads
            .filter_map(|sample| sample.trace.as_ref()?.frames().next().map(short))
            .collect();
        innermost.sort_unstable();
        assert_eq!(innermost, ["all_are_counted", "pass"], "who asks, and who waits");
        assert_eq!(profile.samples[0].count, MANY, "the most frequent first");
        assert_eq!(profile.samples[0].labels, []);
        assert!(profile.samples.is_sorted_by(|a, b| a.count >= b.count));

        // A snapshot tells the same, and can be told of a part of them.
        let mut all = Snapshot::all().with_frames();
        all.tasks.retain(TaskInfo::durably_blocked);
        let blocked = TaskProfile::of(&all.tasks);
        assert_eq!(blocked.total(), 2 * MANY + 1);
        let texts = |of: &TaskProfile| -> Vec<String> {
            let text = of.text();
            let blocks = text.split_once('\n').map_or("", |(_, rest)| rest).split("\n\n");
            blocks.filter(|block| block.contains("::waits")).map(str::to_owned).collect()
        };
        assert_eq!(texts(&blocked), texts(&profile));

        gate.open();
        over.store(true, Ordering::SeqCst);
        thread.join().unwrap();
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

/// Nothing is known of them but what they are.
#[test]
fn those_without_frames_are_told_apart_by_what_is_known() {
    alone(here!(), ONE_COOPERATIVE, || {
        on_one_thread(|| {
            // To start so many may take longer than a slice.
            let (tasks, made, profile) = no_park(|| {
                let mut tasks: Vec<_> = (0..MANY).map(|_| go(|| ())).collect();
                let made = line!() - 1;
                tasks.push(go(|| black_box(())));
                (tasks, made, task_profile())
            });
            let counts: Vec<_> = profile.samples.iter().map(|sample| sample.count).collect();
            assert_eq!(counts[..2], [MANY, 1], "{}", profile.text());
            let many = &profile.samples[0];
            assert!(many.trace.is_none() && many.labels.is_empty());
            assert_eq!((many.site.file(), many.site.line()), (file!(), made));
            tasks.into_iter().for_each(|task| task.join().unwrap());
        });
    });
}

/// The most memory that the process had since it was asked last, in bytes.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("what the kernel says of us");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak");
    let kib: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    fs::write("/proc/self/clear_refs", "5").expect("the peak is counted anew");
    kib << 10
}

#[test]
fn its_memory_is_a_matter_of_stacks_and_not_of_tasks() {
    alone(here!(), &[], || {
        const CROWD: usize = 20_000;
        let gate = Gate::new();
        let start = |_| {
            let gate = gate.clone();
            go(move || waits(&gate))
        };
        let tasks: Vec<_> = (0..CROWD).map(start).collect();
        // The first time libraries' tables are read.
        until("all wait", || task_profile().samples[0].count == CROWD);
        peak();
        let before = peak();
        assert_eq!(task_profile().samples[0].count, CROWD);
        let taken = peak() - before;
        assert!(taken < CROWD * size_of::<TaskInfo>() / 4, "{taken} bytes");
        gate.open();
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}
