//! Execution traces: a strict reader accepts all of them, and finds in them what was.
//!
//! Each trace is taken in a process of its own, where nobody else runs.

mod failures;
mod loads;
mod pipe;
mod rally;
#[path = "../../../runtime/src/trace/strict.rs"]
mod reader;

use crate::child::{alone, here};
use crate::support::until;
use gopark::chan;
use gopark::inspect::WaitReason;
use gopark::runtime::Config;
use gopark::trace::{self, FlightRecorder, Summary};
use loads::Load;
use pipe::Pipe;
use reader::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::mpsc::channel;
use std::time::Duration;

/// The file of a trace of `f`, which runs in a task.
fn file(f: impl FnOnce() + Send + 'static) -> (Vec<u8>, Summary) {
    let (tx, rx) = channel();
    trace::start(Pipe(tx)).unwrap();
    gopark::go(f).join().unwrap();
    let summary = trace::stop().unwrap();
    let file: Vec<u8> = rx.into_iter().flatten().collect();
    assert_eq!(summary.bytes, file.len() as u64);
    (file, summary)
}

/// The same of one in which everything is. On a machine that has other things to do, the
/// collector may come too late.
fn traced(f: fn()) -> Trace {
    let mut taken = file(f);
    while taken.1.lost != 0 {
        taken = file(f);
    }
    let (file, summary) = taken;
    let trace = Trace::read(&file);
    assert_eq!(summary.events, trace.events.len() as u64);
    trace
}

#[expect(unsafe_code, reason = "the promise of migrating mode")]
fn start(processors: usize, migrating: bool) {
    let config = Config::new().maxprocs(processors);
    // SAFETY: no frame of these loads keeps a thread-local across a park.
    let config = if migrating { unsafe { config.migrating() } } else { config };
    config.start().unwrap();
}

/// Everything, and what must be found in it.
fn everything(processors: usize, migrating: bool) {
    start(processors, migrating);
    let trace = traced(|| {
        loads::pipeline();
        loads::patterns();
        loads::echo();
        loads::hogs();
        loads::calls();
        loads::births(3000);
        loads::words();
        // Not all of them are joined.
        while gopark::num_tasks() > 1 {
            gopark::yield_now();
        }
    });
    // Who has spoken outside of tasks waits for ever.
    until_gone(&trace, 1);
    for reason in ["chan send", "chan receive", "sync.Mutex.Lock", "select", "sleep", "network"] {
        assert!(trace.said(GO_BLOCK, reason).count() > 0, "nobody waits for {reason}");
    }
    assert!(trace.said(GO_BLOCK, "sync (join)").count() > 0);
    assert!(trace.said(GO_STOP, "runtime.Gosched").count() > 0);
    assert!(trace.said(GO_STOP, "preempted").count() > 0, "a hog was suspended");
    assert_eq!(trace.said(GO_STOP, "lost").count(), 0);
    assert!(trace.count(SYSCALL_BEGIN) >= 4 * 52 + 2);
    assert!(trace.count(GO_CREATE) > 3000);
    let limits = trace.events.iter().filter(|event| event.kind == PROCS_CHANGE);
    assert!(limits.clone().count() > 0);
    limits.for_each(|limit| assert_eq!(limit.args[0], processors as u64));
    // Closures of one function are told apart by the lines where their tasks were made.
    let mut births = BTreeMap::<&str, usize>::new();
    for text in trace.events.iter().filter(|event| event.kind == GO_CREATE).flat_map(|it| &it.texts)
    {
        if let Some((name, line)) = text.rsplit_once("{{closure}}:")
            && name.contains("loads::births::")
        {
            *births.entry(line).or_default() += 1;
        }
    }
    let mut births: Vec<_> = births.into_values().collect();
    births.sort_unstable();
    assert_eq!(births, [1, 2999]);
    assert_eq!(trace.said(GO_LABEL, "two").count(), 1);
    said(&trace);
}

/// All tasks but so many have ended.
fn until_gone(trace: &Trace, left: usize) {
    assert_eq!(trace.left(), left, "tasks that did not end");
}

/// What `loads::words` says.
fn said(trace: &Trace) {
    let order = trace.said(TASK_BEGIN, "order").next().expect("a task");
    let part = trace.said(TASK_BEGIN, "part").next().expect("its part");
    assert_eq!((order.args[1], part.args[1]), (0, order.args[0]));
    assert_eq!(trace.count(TASK_END), 2);
    // The outer one ends first, and with it the inner one.
    let spans: Vec<_> = trace
        .events
        .iter()
        .filter(|event| matches!(event.kind, REGION_BEGIN | REGION_END))
        .map(|event| (event.kind, event.texts[0].as_str()))
        .collect();
    let (begin, end) = (REGION_BEGIN, REGION_END);
    let baked = [(begin, "bake"), (begin, "knead"), (end, "knead"), (end, "bake")];
    assert_eq!(spans[..4], baked);
    assert_eq!(spans[4..], [(begin, "outside"), (end, "outside")]);
    let log = trace.said(LOG, "oven").next().expect("a log");
    assert_eq!((log.args[0], log.texts[1].as_str()), (order.args[0], "hot"));
    let long = trace.said(LOG, "long").next().expect("a long one");
    assert_eq!(long.texts[1].len(), 1024);
    assert_eq!(trace.said(LOG, "thread").next().expect("the thread's").m, 0);
    assert_eq!(trace.said(LOG, "inside").count(), 4);
}

#[test]
fn one_processor() {
    alone(here!(), &[], || everything(1, false));
}

#[test]
fn two_processors() {
    alone(here!(), &[], || everything(2, false));
}

#[test]
fn eight_processors() {
    alone(here!(), &[], || everything(8, false));
}

#[test]
fn one_processor_migrating() {
    alone(here!(), &[], || everything(1, true));
}

#[test]
fn two_processors_migrating() {
    alone(here!(), &[], || everything(2, true));
}

#[test]
fn eight_processors_migrating() {
    alone(here!(), &[], || everything(8, true));
}

/// Every trace that begins and ends somewhere in the middle is whole.
/// Two tasks on two workers wake each other: whose doing it was is known of each time.
fn known_wakers() {
    start(2, false);
    let trace = traced(|| rally::rally(5000));
    let (mut reasons, mut known, mut unknown) = (BTreeMap::new(), 0, 0);
    for event in &trace.events {
        match (event.kind, event.g) {
            (GO_BLOCK, Some(task)) => drop(reasons.insert(task, event.texts[0].as_str())),
            (GO_UNBLOCK, waker) if reasons[&event.args[0]].starts_with("chan") => {
                *if waker.is_some() { &mut known } else { &mut unknown } += 1;
            }
            _ => {}
        }
    }
    assert!(known >= 5000, "{known} known");
    // As far as the processors' counters agree.
    assert!(unknown <= known / 1000, "{unknown} unknown");
}

#[test]
fn wakers_are_known() {
    alone(here!(), &[], known_wakers);
}

fn in_the_middle(migrating: bool) {
    start(2, migrating);
    let load = Load::new();
    let (tx, rx) = chan::rendezvous::<()>();
    let parked = gopark::go(move || rx.recv().unwrap_err());
    crate::support::parked(parked.id(), WaitReason::ChanReceive);
    for n in 0..8 {
        let (tx, rx) = channel();
        trace::start(Pipe(tx)).unwrap();
        loads::births(n);
        let summary = trace::stop().unwrap();
        let file: Vec<u8> = rx.into_iter().flatten().collect();
        let trace = Trace::read(&file);
        let stated = trace.events.iter().any(|event| {
            event.kind == GO_STATUS_STACK
                && event.args[0] == parked.id().get()
                && event.args[2] == 4
        });
        assert!(stated, "the task that waits all the time");
        if summary.lost == 0 {
            assert_eq!(trace.said(GO_STOP, "lost").count(), 0);
        }
    }
    load.stop();
    drop(tx);
    parked.join().unwrap();
}

#[test]
fn traces_begin_and_end_in_the_middle() {
    alone(here!(), &[], || in_the_middle(false));
}

#[test]
fn traces_begin_and_end_in_the_middle_migrating() {
    alone(here!(), &[], || in_the_middle(true));
}

/// A recorder keeps the last generations, each of which states everything again.
#[test]
fn a_recorder_forgets_what_is_old() {
    alone(here!(), &[], || {
        start(2, false);
        let recorder = FlightRecorder::start(Duration::from_millis(40)).unwrap();
        assert!(FlightRecorder::start(Duration::from_millis(40)).is_err());
        let load = Load::new();
        trace::log("recorder", "early");
        let copy = || {
            let mut file = Vec::new();
            recorder.write_to(&mut file).unwrap();
            file
        };
        let mut last = 0;
        until("the first generations are forgotten", || {
            gopark::sleep(Duration::from_millis(5));
            let trace = Trace::read(&copy());
            assert!(trace.generations > last);
            last = trace.generations;
            trace.said(LOG, "recorder").count() == 0
        });
        // A trace beside it, of the same events.
        assert!(traced(|| loads::births(10)).count(GO_CREATE) >= 10);
        load.stop();
        trace::log("recorder", "late");
        assert_eq!(Trace::read(&copy()).said(LOG, "recorder").count(), 1);
        drop(recorder);
        assert!(!trace::is_enabled());
    });
}

/// Threads are faster than the collector: much is lost, and the trace is whole.
#[test]
fn what_is_lost_is_counted() {
    alone(here!(), &[], || {
        start(2, false);
        let (held, hold) = channel::<()>();
        let (tx, rx) = channel();
        /// Keeps the collector from its work.
        struct Slow(Pipe, std::sync::mpsc::Receiver<()>);
        impl Write for Slow {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                if self.0.write(bytes)? != 16 {
                    let _ = self.1.recv();
                }
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        trace::start(Slow(Pipe(tx), hold)).unwrap();
        // The writer is called after a second at the latest, and holds the lock then.
        let mut file: Vec<u8> = rx.recv().unwrap();
        let first = loop {
            loads::births(100);
            if let Ok(first) = rx.try_recv() {
                break first;
            }
        };
        file.extend(first);
        let spinners: Vec<_> =
            (0..2).map(|_| gopark::go(|| (0..200_000).for_each(|_| gopark::yield_now()))).collect();
        spinners.into_iter().for_each(|task| task.join().unwrap());
        drop(held);
        gopark::go(|| loads::births(100)).join().unwrap();
        let summary = trace::stop().unwrap();
        file.extend(rx.into_iter().flatten());
        assert!(summary.lost > 10_000, "{summary:?}");
        let trace = Trace::read(&file);
        assert_eq!(trace.left(), 0, "tasks whose end was lost");
    });
}

#[test]
fn a_writer_that_fails_is_told_at_the_end() {
    alone(here!(), &[], || {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is full"))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        trace::start(Broken).unwrap();
        gopark::go(|| ()).join().unwrap();
        assert_eq!(trace::stop().unwrap_err().to_string(), "the disk is full");
        // And the next one works.
        assert!(traced(|| ()).count(GO_CREATE) == 1);
        assert_eq!(trace::stop().unwrap(), Summary::default());
    });
}

/// The same as JSON, with every task in it.
#[test]
fn json_shows_the_same() {
    alone(here!(), &[], || {
        start(2, false);
        let (file, _) = file(|| {
            loads::pipeline();
            loads::calls();
            loads::words();
        });
        let mut json = Vec::new();
        trace::to_chrome_json(&file, &mut json).unwrap();
        // An event a line.
        let json = String::from_utf8(json).unwrap();
        let count = |parts: &[&str]| {
            json.lines().filter(|line| parts.iter().all(|part| line.contains(part))).count()
        };
        let trace = Trace::read(&file);
        // A span on a processor and one of its own for each start.
        assert_eq!(count(&["\"name\":\"running\""]), trace.count(GO_START));
        assert_eq!(count(&["\"ph\":\"X\"", "\"pid\":1,"]), trace.count(GO_START));
        let phase = |phase: &str| count(&[&format!("{{\"ph\":\"{phase}\"")]);
        assert_eq!(phase("b"), phase("e"));
        assert_eq!(phase("b"), trace.count(TASK_BEGIN) + trace.count(REGION_BEGIN));
        assert_eq!(phase("i"), trace.count(LOG));
        // A region has a row of its own, and says whose it is.
        let begun = "{\"ph\":\"b\"";
        let whose = "\"args\":{\"task\":\"G";
        assert_eq!(count(&[begun, "\"cat\":\"region\"", whose]), trace.count(REGION_BEGIN));
        let (of, what) = ("loads::words::{{closure}}:", "\",\"for\":\"order\"}");
        assert_eq!(count(&[begun, "\"name\":\"bake\"", of, what]), 1);
        // Only processors that something was seen on have a row.
        let rows = |parts: &[&str]| -> BTreeSet<String> {
            let lines = json.lines().filter(|line| parts.iter().all(|part| line.contains(part)));
            let tid = |line: &str| {
                line.split("\"tid\":").nth(1).unwrap().split(',').next().unwrap().to_owned()
            };
            lines.map(tid).collect()
        };
        let named = rows(&["\"ph\":\"M\",\"pid\":1,", "\"thread_name\""]);
        assert_eq!(named, rows(&["\"ph\":\"X\",\"pid\":1,"]));
        assert_eq!(phase("s"), phase("f"));
        assert!(trace::to_chrome_json(b"something else", io::sink()).is_err());
    });
}

/// Whatever is given for a file: it is refused, or something is made of it.
#[test]
fn what_is_no_trace_is_no_trouble() {
    alone(here!(), &[], || {
        start(2, false);
        let (file, _) = file(|| {
            loads::patterns();
            loads::words();
        });
        for end in (0..file.len()).step_by(13) {
            let _ = trace::to_chrome_json(&file[..end], io::sink());
        }
        // A number for each byte, by a generator that needs no state but this.
        let mut n = 1_u64;
        let mut random = || {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (n >> 33) as usize
        };
        for _ in 0..500 {
            let mut wrong = file.clone();
            for _ in 0..=random() % 4 {
                let at = 16 + random() % (file.len() - 16);
                wrong[at] = [0, 1, 0x7F, 0x80, 0xFF, random() as u8][random() % 6];
            }
            let _ = trace::to_chrome_json(&wrong, io::sink());
        }
    });
}
