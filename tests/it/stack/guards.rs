//! Guards where the kernel has no guard pages: mappings, of which there are not
//! many. (`tests/crash/guards.rs` runs into them.)

use super::{KIB, MIB, status};
use crate::child::{Child, alone, here, inside};
use crate::support::{Gate, Tally, until};
use gopark::stack::usage;
use gopark::{Builder, JoinHandle};
use std::fs;
use std::io::{self, ErrorKind};
use std::thread;

/// As on a kernel without guard pages.
const WITHOUT: (&str, &str) = ("GOPARK_DEBUG", "guardpages=0");

fn mappings() -> usize {
    fs::read_to_string("/proc/self/maps").expect("the system has /proc").lines().count()
}

fn most_mappings() -> usize {
    let text = fs::read_to_string("/proc/sys/vm/max_map_count").expect("the system has /proc");
    text.trim().parse().expect("a number")
}

/// Small tasks that have started and wait.
struct Crowd {
    gate: Gate,
    came: Tally,
    tasks: Vec<JoinHandle<()>>,
}

impl Crowd {
    fn new() -> Crowd {
        Crowd { gate: Gate::new(), came: Tally::new(), tasks: Vec::new() }
    }

    fn add(&mut self) -> io::Result<()> {
        let (held, came) = (self.gate.clone(), self.came.clone());
        self.tasks.push(Builder::new().stack_limit(64 * KIB).go(move || {
            came.add();
            held.pass();
        })?);
        Ok(())
    }

    fn all_started(&self) {
        until("all have started", || self.came.count() == self.tasks.len());
    }

    fn end(self) {
        self.gate.open();
        self.tasks.into_iter().for_each(|task| task.join().unwrap());
    }
}

/// How many more mappings there are with so many tasks.
fn mappings_of(count: usize) -> usize {
    let before = mappings();
    let mut crowd = Crowd::new();
    (0..count).for_each(|_| crowd.add().unwrap());
    crowd.all_started();
    let more = mappings().saturating_sub(before);
    crowd.end();
    more
}

/// Linux 6.13.
fn kernel_has_guard_pages() -> bool {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").expect("the system has /proc");
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= (6, 13)
}

const COUNT: usize = 2000;

#[test]
fn with_guard_pages_stacks_take_no_mappings() {
    alone(here!(), &[], || {
        if kernel_has_guard_pages() {
            let more = mappings_of(COUNT);
            assert!(more < 100, "{more} mappings of {COUNT} tasks");
        }
    });
}

#[test]
fn without_guard_pages_each_stack_takes_two() {
    alone(here!(), &[WITHOUT], || {
        let more = mappings_of(COUNT);
        // Some slots are guarded and not used yet.
        assert!((2 * COUNT..2 * COUNT + 1000).contains(&more), "{more} mappings of {COUNT} tasks");
    });
}

#[test]
fn the_last_mapping_is_an_error_after_a_warning() {
    let most = most_mappings();
    // A system that allows so many has no limit to be met.
    if most > 200_000 {
        println!("SKIPPED: {most} mappings are allowed here, which is no limit to be met");
        return;
    }
    if inside(here!()) {
        let mut crowd = Crowd::new();
        let error = loop {
            if let Err(error) = crowd.add() {
                break error;
            }
            assert!(crowd.tasks.len() < most, "the limit is none");
        };
        eprintln!("refused after {}: {error}", crowd.tasks.len());
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        for says in ["vm.max_map_count allows", &most.to_string(), "raise it"] {
            assert!(error.to_string().contains(says), "does not say {says:?}: {error}");
        }
        // Refusals take nothing.
        let size = status("VmSize");
        (0..50).for_each(|_| drop(crowd.add().unwrap_err()));
        assert!(status("VmSize") <= size + MIB, "{} after {size}", status("VmSize"));
        let count = crowd.tasks.len();
        assert!(count > most / 5 * 2 && count < most / 2, "{count} of {most} mappings");
        // Everybody who was counted gets a stack.
        crowd.all_started();
        assert_eq!(usage().tasks, count);
        // The program goes on, and so do threads, which need mappings too.
        let thread = thread::Builder::new().spawn(|| vec![7; 1 << 20][1000]);
        assert_eq!(thread.expect("a thread").join().unwrap(), 7);
        crowd.end();
        // As many again.
        let mut crowd = Crowd::new();
        until("all of their stacks serve others", || {
            while crowd.add().is_ok() {}
            crowd.tasks.len() >= count
        });
        crowd.end();
        return;
    }
    let ended = Child::new(here!()).env(WITHOUT.0, WITHOUT.1).run();
    ended.passed(here!());
    let warned = ended.stderr.find("gopark: warning: ").expect("a warning");
    let refused = ended.stderr.find("refused after").expect("a refusal");
    assert!(warned < refused, "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("gopark: warning: ").count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("raise vm.max_map_count"), "{}", ended.stderr);
}

#[test]
fn a_crowd_that_is_no_danger_hears_no_warning() {
    if inside(here!()) {
        mappings_of(COUNT);
        return;
    }
    let ended = Child::new(here!()).env(WITHOUT.0, WITHOUT.1).run();
    ended.passed(here!());
    assert!(!ended.stderr.contains("warning"), "{}", ended.stderr);
}
