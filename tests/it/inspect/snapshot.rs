//! A mixed set of tasks, looked at one by one.

use crate::child::{alone, here};
use crate::support::{Gate, ONE_COOPERATIVE, Tick, for_ever, info, parked, spin_until, until};
use gopark::inspect::{self, Census, Kind, Snapshot, Status, TaskInfo, Wait, WaitReason};
use gopark::sync::{Mutex, WaitGroup};
use gopark::{Builder, JoinHandle, Scope, TaskId, chan};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What is to be seen of a task that is parked `at` so many lines below the
/// line where it was made.
#[track_caller]
fn is_parked<T>(task: &JoinHandle<T>, reason: WaitReason, made: u32, at: u32) -> TaskInfo {
    let seen = parked(task.id(), reason);
    assert_eq!(seen.kind, Kind::Task);
    assert_eq!(seen.status, Status::Waiting);
    assert_eq!((seen.created_at.file(), seen.created_at.line()), (file!(), made), "made");
    let site = wait(&seen).site;
    assert_eq!((site.file(), site.line()), (file!(), made + at), "parked");
    assert!(seen.worker.is_some(), "it has started");
    seen
}

fn wait(seen: &TaskInfo) -> Wait {
    seen.wait.expect("it is parked")
}

#[test]
fn every_reason_and_place() {
    alone(here!(), &[], || {
        let scope = Scope::new("places");
        let _in = scope.enter();
        let lock = Arc::new(Mutex::new(()));
        let guard = lock.lock();

        let (keep_tx, rx) = chan::rendezvous::<u8>();
        let task = gopark::go(move || {
            let _ = rx.recv();
        });
        is_parked(&task, WaitReason::ChanReceive, line!() - 3, 1);

        let (tx, keep_rx) = chan::rendezvous();
        let task = gopark::go(move || {
            let value = 7;

            let _ = tx.send(value);
        });
        is_parked(&task, WaitReason::ChanSend, line!() - 5, 3);

        let task = gopark::go(|| for_ever());
        is_parked(&task, WaitReason::ChanReceiveNil, line!() - 1, 0);

        let task = gopark::go(|| chan::never_sender().send(1));
        is_parked(&task, WaitReason::ChanSendNil, line!() - 1, 0);

        let held = lock.clone();
        let task = gopark::go(move || drop(held.lock()));
        is_parked(&task, WaitReason::MutexLock, line!() - 1, 0);

        let group = WaitGroup::new();
        group.add(1);
        let inside = group.clone();
        let task = gopark::go(move || inside.wait());
        is_parked(&task, WaitReason::WaitGroupWait, line!() - 1, 0);

        let joined = gopark::go(|| for_ever());
        let task = gopark::go(move || {
            let _ = joined.join();
        });
        is_parked(&task, WaitReason::Join, line!() - 3, 1);

        let task = gopark::go(|| gopark::sleep(Duration::from_secs(3600)));
        let seen = is_parked(&task, WaitReason::Sleep, line!() - 1, 0);
        assert!(!seen.durably_blocked());

        // A place in a function that other code calls is that function's, unless
        // it says otherwise.
        fn helper(rx: &chan::Receiver<u8>) -> u32 {
            let _ = rx.recv();
            line!() - 1
        }
        #[track_caller]
        fn passes_on(rx: &chan::Receiver<u8>) {
            let _ = rx.recv();
        }
        let (keep, rx) = chan::rendezvous::<u8>();
        let task = gopark::go(move || helper(&rx));
        let helped = wait(&parked(task.id(), WaitReason::ChanReceive)).site.line();
        drop(keep);
        assert_eq!(task.join().unwrap(), helped);
        let (_keep, rx) = chan::rendezvous::<u8>();
        let task = gopark::go(move || passes_on(&rx));
        is_parked(&task, WaitReason::ChanReceive, line!() - 1, 0);

        assert_eq!(scope.reap().abandoned, 0);
        drop((keep_tx, keep_rx, guard));
    });
}

#[test]
fn parents_creators_and_entries() {
    fn parent(gate: &Gate) -> JoinHandle<()> {
        let held = gate.clone();
        gopark::go(move || held.pass())
    }
    fn plain() {
        for_ever();
    }
    let scope = Scope::new("parents");
    let _in = scope.enter();
    let gate = Gate::new();
    let (held, (tx, rx)) = (gate.clone(), std::sync::mpsc::channel());
    let outer = gopark::go(move || {
        tx.send((parent(&held), gopark::go(plain))).unwrap();
        held.pass();
    });
    let (closure, function) = rx.recv().unwrap();
    let me = "inspect::snapshot::parents_creators_and_entries";
    // A closure names the function that it is written in.
    let seen = parked(closure.id(), WaitReason::ChanReceive);
    assert_eq!(seen.parent, Some(outer.id()));
    assert_eq!(seen.entry, format!("it::{me}::parent::{{{{closure}}}}"));
    assert_eq!(seen.creator, format!("it::{me}::parent"));
    // A function does not: its creator is what the parent runs.
    let seen = parked(function.id(), WaitReason::ChanReceiveNil);
    assert_eq!(seen.parent, Some(outer.id()));
    assert_eq!(seen.entry, format!("it::{me}::plain"));
    assert_eq!(seen.creator, format!("it::{me}::{{{{closure}}}}"));
    // The parent of a task that a thread made is the thread.
    let seen = parked(outer.id(), WaitReason::ChanReceive);
    let thread = info(seen.parent.expect("an adopted thread")).expect("it lives");
    assert_eq!((thread.kind, thread.entry, thread.parent), (Kind::Thread, "thread", None));
    // A parent that is gone is still named.
    let parent = gopark::go(move || gopark::go(plain));
    let id = parent.id();
    let orphan = parent.join().unwrap();
    assert_eq!(parked(orphan.id(), WaitReason::ChanReceiveNil).parent, Some(id));
    gate.open();
    outer.join().unwrap();
    scope.reap();
}

#[test]
fn what_is_not_parked() {
    alone(here!(), ONE_COOPERATIVE, || {
        let over = Arc::new(AtomicBool::new(false));
        let released = over.clone();
        let (tx, rx) = std::sync::mpsc::channel();
        let gate = Gate::new();
        let held = gate.clone();
        let woken = gopark::go(move || held.pass());
        parked(woken.id(), WaitReason::ChanReceive);
        let hog = move || {
            gate.open();
            tx.send(gopark::go(|| ())).unwrap();
            spin_until("seen", || released.load(Ordering::SeqCst));
        };
        // It keeps the processor, after its slice too.
        let running = gopark::go(|| gopark::no_park(hog));
        let fresh = rx.recv().unwrap();
        let status = |task: &JoinHandle<()>| {
            let seen = info(task.id()).expect("alive");
            assert!(seen.wait.is_none(), "{seen:?}");
            assert!(!seen.durably_blocked());
            (seen.status, seen.worker.is_some())
        };
        assert_eq!(status(&running), (Status::Running, true));
        assert_eq!(status(&fresh), (Status::Runnable, false));
        assert_eq!(status(&woken), (Status::Runnable, true));
        let me = Snapshot::all().tasks.into_iter().find(|task| task.kind == Kind::Thread).unwrap();
        assert_eq!((me.status, me.worker), (Status::Running, None));
        over.store(true, Ordering::SeqCst);
        for task in [running, fresh, woken] {
            task.join().unwrap();
        }
    });
}

#[test]
fn ended_tasks_are_not_there() {
    for _ in 0..1000 {
        let task = gopark::go(|| ());
        let id = task.id();
        until("the task has ended", || task.is_finished());
        assert!(info(id).is_none(), "a dead task in a snapshot");
        task.join().unwrap();
    }
}

#[test]
fn snapshots_are_sorted_and_have_each_task_once() {
    let scope = Scope::new("sorted");
    let gate = Gate::new();
    let tasks: Vec<_> = (0..300)
        .map(|_| {
            let (_in, held) = (scope.enter(), gate.clone());
            gopark::go(move || held.pass())
        })
        .collect();
    let mut ids: Vec<_> = tasks.iter().map(JoinHandle::id).collect();
    ids.sort();
    let seen: Vec<_> = Snapshot::of(&scope).tasks.iter().map(|task| task.id).collect();
    assert_eq!(seen, ids);
    assert!(Snapshot::all().tasks.is_sorted_by_key(|task| task.id));
    gate.open();
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

#[test]
fn ages_grow_and_a_stamp_is_one_wait() {
    let (tx, rx) = chan::rendezvous();
    let before = Tick::now();
    let task = gopark::go(move || rx.iter().count());
    let first = parked(task.id(), WaitReason::ChanReceive);
    let later = info(task.id()).unwrap();
    assert_eq!(later.stamp, first.stamp);
    assert!(wait(&later).age >= wait(&first).age);
    assert!(wait(&later).age <= before.elapsed());
    let nap = Duration::from_millis(30);
    gopark::sleep(nap);
    let oldest = info(task.id()).unwrap();
    assert_eq!(oldest.stamp, first.stamp, "it was parked all the time");
    assert!(wait(&oldest).age >= nap);
    tx.send(()).unwrap();
    until("it is parked again", || {
        info(task.id()).is_some_and(|seen| seen.wait.is_some() && seen.stamp != first.stamp)
    });
    drop(tx);
    assert_eq!(task.join().unwrap(), 1);
}

/// A reader among writers: whatever is seen fits together.
#[test]
fn what_is_seen_of_a_busy_task_fits_together() {
    let over = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let over = over.clone();
            gopark::go(move || {
                while !over.load(Ordering::SeqCst) {
                    let (tx, rx) = chan::rendezvous::<u8>();
                    let life = Builder::new().name("receives").label("kind", "r");
                    let life = life.go(move || rx.recv()).unwrap();
                    gopark::sleep(Duration::from_micros(5));
                    drop(tx);
                    let _ = life.join().unwrap();
                    gopark::go(|| gopark::sleep(Duration::from_micros(1))).join().unwrap();
                }
            })
        })
        .collect();
    for _ in 0..3000 {
        for seen in Snapshot::all().tasks {
            let Some(wait) = seen.wait else { continue };
            if seen.created_at.file() != file!() || !seen.entry.contains("what_is_seen_of_a_busy") {
                continue;
            }
            let what = (seen.name.as_deref(), wait.reason, wait.timed);
            let receives = (Some("receives"), WaitReason::ChanReceive, false);
            let sleeps = (None, WaitReason::Sleep, true);
            let joins = (None, WaitReason::Join, false);
            assert!([receives, sleeps, joins].contains(&what), "{seen:?}");
            assert!(seen.name.is_none() || seen.labels.len() == 1, "{seen:?}");
        }
    }
    over.store(true, Ordering::SeqCst);
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

#[test]
fn words_are_gos() {
    let statuses = [
        (Status::Idle, 0, "idle"),
        (Status::Runnable, 1, "runnable"),
        (Status::Running, 2, "running"),
        (Status::Syscall, 3, "syscall"),
        (Status::Waiting, 4, "waiting"),
        (Status::Dead, 6, "dead"),
        (Status::CopyStack, 8, "copystack"),
        (Status::Preempted, 9, "preempted"),
        (Status::Leaked, 10, "leaked"),
    ];
    for (status, number, word) in statuses {
        assert_eq!((status as u8, status.as_str()), (number, word));
    }
    let reasons = [
        (WaitReason::ChanReceiveNil, "chan receive (nil chan)", true),
        (WaitReason::ChanSendNil, "chan send (nil chan)", true),
        (WaitReason::ChanReceive, "chan receive", true),
        (WaitReason::ChanSend, "chan send", true),
        (WaitReason::MutexLock, "sync.Mutex.Lock", true),
        (WaitReason::WaitGroupWait, "sync.WaitGroup.Wait", true),
        (WaitReason::Join, "join", true),
        (WaitReason::Sleep, "sleep", false),
        (WaitReason::Offload, "offload", false),
        (WaitReason::BlockOn, "block_on", false),
        (WaitReason::BlockOnAlone, "block_on", true),
    ];
    for (reason, words, durable) in reasons {
        assert_eq!((reason.as_str(), reason.durable()), (words, durable));
    }
}

#[test]
fn a_wait_with_a_limit_is_not_durable() {
    alone(here!(), &[], || {
        let (_tx, rx) = chan::rendezvous::<u8>();
        let scope = Scope::new("limited");
        let task = {
            let _in = scope.enter();
            gopark::go(move || rx.recv_timeout(Duration::from_secs(3600)))
        };
        let seen = parked(task.id(), WaitReason::ChanReceive);
        assert!(wait(&seen).timed && wait(&seen).left.is_some());
        assert!(!seen.durably_blocked());
        assert_eq!(scope.reap().ended, 1);
    });
}

/// Whoever changes faster than it can be read is there all the same, in every view.
#[test]
fn those_who_change_all_the_time_are_seen_all_the_time() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2")], || {
        let changes: [fn(); 3] = [
            gopark::yield_now,
            || gopark::blocking(|| ()),
            || gopark::time::sleep(Duration::from_nanos(1)),
        ];
        for change in changes {
            let (scope, over) = (Scope::new("changing"), Arc::new(AtomicBool::new(false)));
            let (_in, ending) = (scope.enter(), over.clone());
            let task = gopark::go(move || {
                while !ending.load(Ordering::Relaxed) {
                    change();
                }
            });
            for _ in 0..1_000 {
                is_seen(&scope, task.id());
            }
            over.store(true, Ordering::Relaxed);
            task.join().unwrap();
        }
    });
}

/// The only task of the scope, in every view.
fn is_seen(scope: &Scope, id: TaskId) {
    let all = Snapshot::all().tasks;
    assert!(all.iter().any(|seen| seen.id == id), "{all:#?}");
    let ours = Snapshot::of(scope).tasks;
    assert!(ours.iter().map(|seen| seen.id).eq([id]), "{ours:#?}");
    let census = Census::take(scope);
    assert!(census.members.iter().map(|member| member.id).eq([id]), "{census:#?}");
    let groups = inspect::groups();
    let here = groups.iter().filter(|group| group.created_at.file() == file!());
    assert_eq!(here.map(|group| group.count).sum::<usize>(), 1, "{groups:#?}");
}
