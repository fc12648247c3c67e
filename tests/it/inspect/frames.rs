//! The frames of tasks in every state.

use crate::child::{alone, here};
use crate::support::{COOPERATIVE, Gate, parked, until, until_some};
use gopark::inspect::{Frame, Kind, Snapshot, Status, TaskInfo, WaitReason, add_frames};
use gopark::{Scope, TaskId, chan, stack};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The task with its frames.
pub(super) fn with_frames(id: TaskId) -> Option<TaskInfo> {
    let mut tasks = Snapshot::all().tasks;
    tasks.retain(|task| task.id == id);
    add_frames(&mut tasks);
    tasks.pop()
}

/// The functions that are shown, without their paths and types, up to one; closures are
/// what they are written in.
pub(super) fn names(task: &TaskInfo) -> Vec<&str> {
    task.frames().map(short).collect()
}

pub(super) fn short(frame: &Frame) -> &str {
    let name = frame.function.split('<').next().unwrap_or_default();
    name.rsplit("::").find(|part| !part.starts_with('{')).unwrap_or("a closure")
}

/// Waits until the task has this status and says where it is.
#[track_caller]
fn seen(id: TaskId, status: Status) -> TaskInfo {
    until_some("a task shows its frames", || {
        with_frames(id).filter(|task| task.status == status && task.frames().next().is_some())
    })
}

#[inline(never)]
fn inner(gate: &Gate) -> u32 {
    gate.pass();
    black_box(line!() - 1)
}

#[inline(never)]
fn outer(gate: &Gate) -> u32 {
    black_box(inner(gate))
}

#[test]
fn of_a_parked_task() {
    let gate = Gate::new();
    let held = gate.clone();
    let task = gopark::go(move || outer(&held));
    parked(task.id(), WaitReason::ChanReceive);
    let info = with_frames(task.id()).unwrap();
    assert_eq!(names(&info)[..4], ["pass", "inner", "outer", "of_a_parked_task"], "{info:?}");
    assert_eq!(names(&info).len(), 4);
    let trace = info.trace.as_ref().unwrap();
    assert!(trace.is_whole() && trace.elided() == 0);
    let frames: Vec<_> = trace.frames().collect();
    assert!(frames.iter().all(|frame| frame.offset != 0 && !frame.runtime), "{frames:?}");
    let file = frames[1].file.as_deref().unwrap();
    assert!(file.ends_with("tests/it/inspect/frames.rs"), "{file}");
    let line = frames[1].line.unwrap();
    // The runtime's own are there for those who ask.
    let hidden = |what: &str| {
        let is = |frame: &&Frame| frame.runtime && frame.function.contains(what);
        trace.all().iter().filter(is).count()
    };
    for what in ["gopark::chan", "gopark::sched::park", "gopark::task::entry::main"] {
        assert!(hidden(what) > 0, "{what}: {:?}", trace.all());
    }
    gate.open();
    assert_eq!(task.join().unwrap(), line);
}

#[inline(never)]
fn recurse(depth: usize, gate: &Gate) -> usize {
    if depth == 0 {
        gate.pass();
        return 0;
    }
    black_box(1 + recurse(depth - 1, gate))
}

#[test]
fn of_a_deep_task() {
    let gate = Gate::new();
    let held = gate.clone();
    let task = gopark::go(move || recurse(1000, &held));
    parked(task.id(), WaitReason::ChanReceive);
    let info = with_frames(task.id()).unwrap();
    let trace = info.trace.as_ref().unwrap();
    assert!(trace.is_whole());
    assert!((870..1000).contains(&trace.elided()), "{}", trace.elided());
    let names = names(&info);
    assert_eq!((names[0], names[1]), ("pass", "recurse"));
    assert_eq!(names.last(), Some(&"of_a_deep_task"));
    gate.open();
    assert_eq!(task.join().unwrap(), 1000);
}

#[inline(never)]
fn on_segments(depth: usize, gate: &Gate) -> usize {
    let more = match depth {
        0 => outer(gate) as usize,
        depth => stack::grow(1 << 20, || on_segments(depth - 1, gate)),
    };
    black_box(more)
}

#[test]
fn of_a_task_on_segments() {
    let gate = Gate::new();
    let held = gate.clone();
    // Wherever its segments come from, some seams go upwards and some downwards.
    let tasks: Vec<_> = (1..20)
        .map(|depth| {
            let held = held.clone();
            let limit = if depth % 2 == 0 { 64 << 10 } else { 8 << 20 };
            let task = gopark::Builder::new().stack_limit(limit);
            (depth, task.go(move || on_segments(depth, &held)).unwrap())
        })
        .collect();
    for (depth, task) in &tasks {
        parked(task.id(), WaitReason::ChanReceive);
        let info = with_frames(task.id()).unwrap();
        assert_eq!(info.stack.unwrap().segments, *depth);
        let trace = info.trace.as_ref().unwrap();
        assert!(trace.is_whole(), "{depth}: {:?}", trace.all());
        let mut names = names(&info);
        assert_eq!(names[..3], ["pass", "inner", "outer"], "{depth}");
        assert_eq!(names.pop(), Some("of_a_task_on_segments"), "{depth}");
        if trace.elided() == 0 {
            // Each of them, and the closure in it.
            assert_eq!(names.len(), 3 + 2 * depth + 1, "{depth}: {names:?}");
        }
    }
    gate.open();
    tasks.into_iter().for_each(|(_, task)| assert_ne!(task.join().unwrap(), 0));
}

#[inline(never)]
pub(super) fn computes(over: &AtomicBool) {
    while !black_box(over.load(Ordering::SeqCst)) {
        std::hint::spin_loop();
    }
}

#[test]
fn of_a_task_that_runs() {
    let over = Arc::new(AtomicBool::new(false));
    let seen_over = over.clone();
    let task = gopark::go(move || computes(&seen_over));
    let info = seen(task.id(), Status::Running);
    assert!(names(&info).contains(&"computes"), "{:?}", info.trace.unwrap().all());
    assert_eq!(names(&info).last(), Some(&"of_a_task_that_runs"));
    over.store(true, Ordering::SeqCst);
    task.join().unwrap();
}

#[test]
fn of_a_suspended_task() {
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], || {
        let over = Arc::new(AtomicBool::new(false));
        let tasks = [(); 3].map(|()| {
            let over = over.clone();
            gopark::go(move || stack::grow(1 << 20, || computes(&over)))
        });
        for task in &tasks {
            let info = seen(task.id(), Status::Preempted);
            assert!(names(&info).contains(&"computes"), "{:?}", info.trace.unwrap().all());
            assert_eq!(names(&info).last(), Some(&"of_a_suspended_task"));
        }
        over.store(true, Ordering::SeqCst);
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

#[inline(never)]
fn in_a_call(over: &AtomicBool) {
    gopark::blocking(|| {
        while !over.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    black_box(());
}

#[test]
fn of_a_task_in_a_call() {
    let over = Arc::new(AtomicBool::new(false));
    let seen_over = over.clone();
    let task = gopark::go(move || in_a_call(&seen_over));
    let info = seen(task.id(), Status::Syscall);
    assert!(names(&info).contains(&"in_a_call"), "{:?}", info.trace.unwrap().all());
    over.store(true, Ordering::SeqCst);
    task.join().unwrap();
}

#[inline(never)]
fn ready_again(gate: &Gate) {
    gate.pass();
    black_box(());
}

/// It waits for its worker, on which another one computes.
#[test]
fn of_a_ready_task() {
    alone(here!(), &[COOPERATIVE], || {
        let (gate, over) = (Gate::new(), Arc::new(AtomicBool::new(false)));
        let (tx, rx) = std::sync::mpsc::channel();
        let hog = gopark::go({
            let over = over.clone();
            move || {
                let held = gate.clone();
                let task = gopark::go(move || ready_again(&held));
                let not_started = gopark::go(|| ());
                gopark::no_park(|| ());
                until("it is parked", || {
                    let is = |it: &&TaskInfo| it.id == task.id();
                    Snapshot::all().tasks.iter().find(is).is_some_and(|it| it.wait.is_some())
                });
                gate.open();
                tx.send(task.id()).unwrap();
                computes(&over);
                (task, not_started)
            }
        });
        let id = rx.recv().unwrap();
        // Bound elsewhere it runs, and ends: then there is nothing to see.
        let info = until_some("it is ready, or over", || match with_frames(id) {
            None => Some(None),
            Some(task) if task.status == Status::Runnable => Some(Some(task)),
            Some(_) => None,
        });
        if let Some(info) = info {
            let names = names(&info);
            assert!(names.contains(&"ready_again"), "{names:?}");
            assert_eq!(names.last(), Some(&"of_a_ready_task"));
        }
        over.store(true, Ordering::SeqCst);
        let (task, other) = hog.join().unwrap();
        task.join().unwrap();
        other.join().unwrap();
    });
}

/// So many that each is ready for longer than it takes to look at it, though their worker
/// starts others all the time.
#[test]
fn of_those_who_yield_all_the_time() {
    #[inline(never)]
    fn yields(over: &AtomicBool) {
        while !over.load(Ordering::Relaxed) {
            gopark::yield_now();
        }
    }
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], || {
        const CROWD: usize = 5000;
        let over = Arc::new(AtomicBool::new(false));
        let start = |_| {
            let over = over.clone();
            gopark::go(move || yields(&over))
        };
        let tasks: Vec<_> = (0..CROWD).map(start).collect();
        until("most show where they are", || {
            let all = Snapshot::all().with_frames();
            let ready = all.tasks.iter().filter(|task| task.status == Status::Runnable);
            let shown = ready.filter(|task| names(task).first() == Some(&"yields"));
            shown.count() > CROWD / 2
        });
        over.store(true, Ordering::Relaxed);
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

#[test]
fn of_a_parked_thread() {
    let scope = Scope::new("threads");
    let gate = Gate::new();
    let (held, inside) = (gate.clone(), scope.clone());
    let thread = std::thread::spawn(move || {
        let _in = inside.enter();
        stack::grow(1 << 20, || outer(&held))
    });
    let info = until_some("a thread is parked", || {
        let all = Snapshot::all().with_frames();
        let mine = |task: &TaskInfo| {
            task.kind == Kind::Thread && task.scope == scope.id() && task.wait.is_some()
        };
        all.tasks.into_iter().find(mine)
    });
    let trace = info.trace.as_ref().expect("its frames");
    assert_eq!(names(&info)[..3], ["pass", "inner", "outer"], "{:?}", trace.all());
    assert_eq!(names(&info).last(), Some(&"of_a_parked_thread"), "{:?}", trace.all());
    gate.open();
    thread.join().unwrap();
}

#[test]
fn of_those_who_ask() {
    #[inline(never)]
    fn asks() -> Vec<String> {
        let all = Snapshot::all().with_frames();
        let me = |task: &&TaskInfo| names(task).first() == Some(&"asks");
        let found = all.tasks.iter().find(me).expect("the calling one");
        black_box(found.frames().map(|frame| frame.function.clone()).collect())
    }
    drop(Scope::current());
    assert!(asks()[1].ends_with("of_those_who_ask"));
    let frames = gopark::go(asks).join().unwrap();
    assert_eq!(frames.len(), 1, "{frames:?}");
}

/// They are held and asked all the time, and nothing is lost.
fn looked_at_all_the_time() {
    let over = Arc::new(AtomicBool::new(false));
    let looker = std::thread::spawn({
        let over = over.clone();
        move || {
            let mut looks = 0;
            while !over.load(Ordering::SeqCst) || looks < 3 {
                let all = Snapshot::all().with_frames();
                for task in &all.tasks {
                    let shown = task.trace.as_ref().is_none_or(|it| !it.addresses().is_empty());
                    assert!(shown, "{task:?}");
                }
                looks += 1;
            }
        }
    });
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            gopark::go(|| {
                let ((tx, rx), (back, answers)) = (chan::rendezvous(), chan::rendezvous());
                let other = gopark::go(move || rx.iter().for_each(|n: u32| back.send(n).unwrap()));
                for n in 0..300 {
                    tx.send(n).unwrap();
                    assert_eq!(answers.recv(), Ok(n));
                    let timeout = Duration::from_micros(n.into());
                    assert!(answers.recv_timeout(timeout).is_err());
                }
                drop(tx);
                other.join().unwrap();
            })
        })
        .collect();
    let thread = std::thread::spawn(|| {
        let (tx, rx) = chan::rendezvous();
        let task = gopark::go(move || (0..300).for_each(|n| tx.send(n).unwrap()));
        assert_eq!(rx.iter().count(), 300);
        task.join().unwrap();
        (0..100).for_each(|n| gopark::sleep(Duration::from_micros(n)));
    });
    tasks.into_iter().for_each(|task| task.join().unwrap());
    thread.join().unwrap();
    over.store(true, Ordering::SeqCst);
    looker.join().unwrap();
}

#[test]
fn nothing_is_lost_of_those_who_are_looked_at() {
    alone(here!(), &[], looked_at_all_the_time);
}

#[test]
#[expect(unsafe_code, reason = "the promise of migrating mode")]
fn nothing_is_lost_when_tasks_migrate() {
    alone(here!(), &[], || {
        // SAFETY: the tasks of this process keep nothing that belongs to a thread.
        unsafe { gopark::runtime::Config::new().migrating() }.start().unwrap();
        looked_at_all_the_time();
    });
}

/// Two tasks that look at each other while both run.
#[test]
fn both_ask() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2")], || {
        let tasks = [(); 4].map(|()| {
            gopark::go(|| {
                for _ in 0..10 {
                    let _ = Snapshot::all().with_frames();
                }
            })
        });
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}
