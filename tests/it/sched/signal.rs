//! A task that computes without a call of ours is suspended when it has had its
//! slice and somebody waits.

use super::{
    Hog, ONE, ONE_BRIEF, Turns, computed, detached, migrate, others_go_on, seen, spin, status,
};
use crate::child::{Child, alone, here, inside};
use crate::support::{COOPERATIVE, ONE_COOPERATIVE, Tally, info, until, until_some};
use gopark::inspect::Status;
use gopark::{Builder, Scope, blocking};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

/// Runs until the process ends.
fn for_ever() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

#[test]
fn others_start_beside_a_loop_without_calls() {
    alone(here!(), ONE, || {
        let hog = gopark::go(|| for_ever());
        seen(hog.id(), Status::Running);
        others_go_on();
        // The process ends in spite of it.
    });
}

#[test]
fn others_go_on_beside_it_where_tasks_migrate() {
    alone(here!(), &[], || {
        migrate(1);
        let hog = gopark::go(|| for_ever());
        seen(hog.id(), Status::Running);
        let turns = Turns::new();
        for _ in 0..5 {
            seen(hog.id(), Status::Preempted);
            let before = turns.count.count();
            until("they go on", || turns.count.count() > before + 100);
        }
        turns.end();
        others_go_on();
    });
}

#[test]
fn so_do_started_ones_of_other_workers() {
    alone(here!(), ONE, || {
        let hog = gopark::go(|| for_ever());
        seen(hog.id(), Status::Running);
        // It cannot start on the thread of the hog.
        let turns = Turns::new();
        for _ in 0..5 {
            let before = turns.count.count();
            until("they go on", || turns.count.count() > before + 100);
            seen(hog.id(), Status::Running);
        }
        turns.end();
    });
}

/// Bound to its worker, whose thread is suspended.
#[test]
fn its_siblings_wait_for_it() {
    alone(here!(), ONE, || {
        let turns = Turns::new();
        let worker = |id| info(id).unwrap().worker.expect("it has started");
        let hog = until_some("a hog has started on the same thread", || {
            let hog = Hog::new();
            if worker(hog.id()) == worker(turns.task.id()) {
                return Some(hog);
            }
            hog.end();
            None
        });
        let before = turns.count.count();
        for _ in 0..3 {
            others_go_on();
        }
        assert_eq!(turns.count.count(), before);
        hog.end();
        until("they go on", || turns.count.count() > before + 100);
        turns.end();
    });
}

/// A thread that wakes it finds the hog without a slice left.
#[test]
fn who_is_woken_from_outside_goes_on_too() {
    alone(here!(), ONE, || {
        let (go_on, rx) = mpsc::channel::<()>();
        let (tx, woken) = gopark::chan::rendezvous::<()>();
        let sleeper = Builder::new().own_thread().go(move || woken.recv().is_err()).unwrap();
        seen(sleeper.id(), Status::Waiting);
        let hog = gopark::go(|| for_ever());
        seen(hog.id(), Status::Running);
        let thread = std::thread::spawn(move || {
            rx.recv().unwrap_err();
            tx.close();
        });
        drop(go_on);
        assert!(sleeper.join().unwrap());
        thread.join().unwrap();
    });
}

/// Each has had between a half and twice as much as the average.
#[track_caller]
fn share(hogs: Vec<Hog>, time: Duration) {
    let all = || hogs.iter().map(|hog| computed(hog.thread())).collect::<Vec<_>>();
    let before = all();
    let used = || -> Vec<Duration> { all().iter().zip(&before).map(|(a, b)| *a - *b).collect() };
    until("they have computed", || used().iter().sum::<Duration>() >= time);
    let used = used();
    let fair = used.iter().sum::<Duration>() / used.len() as u32;
    let fairly = |time: &Duration| (fair / 2..=fair * 2).contains(time);
    assert!(used.iter().all(fairly), "{used:?}");
    hogs.into_iter().for_each(Hog::end);
}

#[test]
fn two_hogs_share_a_processor() {
    alone(here!(), ONE, || share(vec![Hog::new(), Hog::new()], Duration::from_millis(400)));
}

#[test]
fn seven_hogs_share_two_processors() {
    let settings = [("GOPARK_MAXPROCS", "2"), ("GOPARK_SLICE", "2ms")];
    alone(here!(), &settings, || {
        let hogs = (0..7).map(|_| Hog::new()).collect();
        share(hogs, Duration::from_millis(700));
    });
}

#[test]
fn hogs_that_migrate_share_too() {
    alone(here!(), &[("GOPARK_SLICE", "1ms")], || {
        migrate(1);
        let hogs = (0..3).map(|_| Hog::new()).collect();
        share(hogs, Duration::from_millis(300));
    });
}

/// A started hog, and as many others as have not started.
#[test]
fn the_run_queues_share_with_hogs() {
    alone(here!(), ONE_BRIEF, || {
        let hogs = [Hog::new(), Hog::new(), Hog::new()];
        let ran = Tally::new();
        let turns = || hogs.each_ref().map(|hog| computed(hog.thread()));
        for round in 0..10 {
            let before = turns();
            for _ in 0..20 {
                let ran = ran.clone();
                drop(gopark::go(move || ran.add()));
            }
            until("all of a batch have run", || ran.count() == 20 * (round + 1));
            until("and each hog", || turns().iter().zip(&before).all(|(now, then)| now > then));
        }
        hogs.into_iter().for_each(Hog::end);
    });
}

/// Is suspended wherever it is, and finds everything as it was.
#[track_caller]
fn goes_on_after(what: &str, body: impl FnOnce(&AtomicBool) -> usize + Send + 'static) {
    let over = Arc::new(AtomicBool::new(false));
    let end = over.clone();
    // Not on the same thread, where it would keep the task from coming back.
    let other = Hog::new();
    let task = gopark::go(move || body(&end));
    for _ in 0..3 {
        seen(task.id(), Status::Preempted);
        seen(task.id(), Status::Running);
    }
    over.store(true, Ordering::SeqCst);
    assert_eq!(task.join().unwrap(), 4096 * 7, "{what}");
    other.end();
}

fn on_the_stack(over: &AtomicBool) -> usize {
    let array = std::hint::black_box([7_u8; 4096]);
    spin(over);
    array.iter().map(|n| usize::from(*n)).sum()
}

#[test]
fn on_a_stack_on_a_segment_and_in_no_park() {
    alone(here!(), ONE_BRIEF, || {
        goes_on_after("a stack", on_the_stack);
        goes_on_after("a segment", |over| gopark::stack::grow(2 << 20, || on_the_stack(over)));
        goes_on_after("no_park", |over| gopark::no_park(|| on_the_stack(over)));
        goes_on_after("after a call", |over| {
            gopark::offload(|| ());
            blocking(|| ());
            on_the_stack(over)
        });
        goes_on_after("while it unwinds", |over| {
            struct Slow<'a>(&'a AtomicBool, &'a Cell<usize>);
            impl Drop for Slow<'_> {
                fn drop(&mut self) {
                    self.1.set(on_the_stack(self.0));
                }
            }
            let sum = Cell::new(0);
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _slow = Slow(over, &sum);
                std::panic::resume_unwind(Box::new(()));
            }));
            sum.get()
        });
    });
}

/// It has no processor that others could want.
#[test]
fn in_a_declared_call_it_is_not() {
    alone(here!(), ONE_BRIEF, || {
        let over = Arc::new(AtomicBool::new(false));
        let end = over.clone();
        let task = gopark::go(move || blocking(|| spin(&end)));
        seen(task.id(), Status::Syscall);
        let hogs = [Hog::new(), Hog::new()];
        for _ in 0..3 {
            for hog in &hogs {
                seen(hog.id(), Status::Preempted);
                assert_eq!(status(task.id()), Some(Status::Syscall));
            }
        }
        over.store(true, Ordering::SeqCst);
        task.join().unwrap();
        hogs.into_iter().for_each(Hog::end);
    });
}

/// Who waits for the lock waits in the kernel, and its processor goes to its holder.
#[test]
fn it_may_hold_a_lock_that_others_wait_for() {
    alone(here!(), ONE_BRIEF, || {
        let lock = Arc::new(Mutex::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let (held, end) = (lock.clone(), over.clone());
        let (tx, rx) = mpsc::channel();
        let holder = gopark::go(move || {
            let mut guard = held.lock().unwrap();
            tx.send(()).unwrap();
            spin(&end);
            *guard += 1;
        });
        rx.recv().unwrap();
        let waits: Vec<_> = (0..5)
            .map(|_| {
                let lock = lock.clone();
                let waits = gopark::go(move || *lock.lock().unwrap() += 1);
                detached(waits.id());
                waits
            })
            .collect();
        let hog = Hog::new();
        seen(holder.id(), Status::Preempted);
        others_go_on();
        over.store(true, Ordering::SeqCst);
        holder.join().unwrap();
        waits.into_iter().for_each(|waits| waits.join().unwrap());
        assert_eq!(*lock.lock().unwrap(), 6);
        hog.end();
    });
}

#[test]
fn the_reaper_ends_it_at_its_safepoint() {
    alone(here!(), ONE_BRIEF, || {
        let (scope, other) = (Scope::new("computes"), Hog::new());
        let dropped = Tally::new();
        let mark = dropped.mark();
        let hog = {
            let _in = scope.enter();
            gopark::go(move || {
                let _mark = mark;
                loop {
                    for _ in 0..100_000 {
                        std::hint::spin_loop();
                    }
                    gopark::safepoint();
                }
            })
        };
        // Between two safepoints.
        seen(hog.id(), Status::Preempted);
        let reaped = scope.reap();
        assert_eq!((reaped.ended, reaped.abandoned, scope.live()), (1, 0, 0));
        assert_eq!(dropped.count(), 1);
        other.end();
    });
}

#[test]
fn the_reaper_gives_up_who_comes_to_none() {
    alone(here!(), ONE_BRIEF, || {
        let (scope, other) = (Scope::new("computes"), Hog::new());
        let hog = {
            let _in = scope.enter();
            Hog::new()
        };
        seen(hog.id(), Status::Preempted);
        let reaped = scope.reap();
        assert_eq!((reaped.ended, reaped.abandoned, scope.live()), (0, 1, 1));
        others_go_on();
        hog.end();
        other.end();
    });
}

/// As if the handler had not interrupted anything: whoever sends them may wait for it.
#[test]
#[expect(unsafe_code, reason = "signals")]
fn other_signals_come_while_it_is_suspended() {
    static CAME: AtomicU32 = AtomicU32::new(0);
    extern "C" fn on_other(_: libc::c_int) {
        CAME.fetch_add(1, Ordering::SeqCst);
    }
    /// How far the hog has come.
    static COMPUTED: AtomicU32 = AtomicU32::new(0);
    alone(here!(), ONE, || {
        // SAFETY: a handler with the right signature that is fit for anything.
        unsafe { libc::signal(libc::SIGUSR2, on_other as *const () as libc::sighandler_t) };
        let (tx, rx) = mpsc::channel();
        let hog = gopark::go(move || {
            // SAFETY: asks.
            tx.send(unsafe { libc::pthread_self() }).unwrap();
            loop {
                COMPUTED.fetch_add(1, Ordering::SeqCst);
            }
        });
        let thread = rx.recv().unwrap();
        let other = Hog::new();
        until("one comes in the middle of a suspension", || {
            seen(hog.id(), Status::Preempted);
            let (came, computed) = (CAME.load(Ordering::SeqCst), COMPUTED.load(Ordering::SeqCst));
            // SAFETY: the thread runs until the process ends.
            unsafe { libc::pthread_kill(thread, libc::SIGUSR2) };
            until("it comes", || CAME.load(Ordering::SeqCst) > came);
            let suspended = status(hog.id()) == Some(Status::Preempted);
            suspended && COMPUTED.load(Ordering::SeqCst) == computed
        });
        other.end();
    });
}

/// It is not blocked, whoever else is.
#[test]
fn it_is_no_leak_but_alive() {
    let settings = [ONE_BRIEF, &[("LEAKCHECK_DEADLINE_MS", "100")]].concat();
    alone(here!(), &settings, || {
        gopark::inspect::mark_harness_thread();
        let (scope, other) = (Scope::new("checked"), Hog::new());
        let _in = scope.enter();
        let hog = Hog::new();
        seen(hog.id(), Status::Preempted);
        let leaks = leakcheck::find(&leakcheck::Filter::new()).expect_err("it is alive");
        let text = leaks.to_string();
        let one = ["ready to run, but without a processor", "still running"];
        assert!(one.iter().any(|state| text.contains(state)), "{text}");
        assert!(!text.contains("leaked)"), "{text}");
        hog.end();
        assert!(leakcheck::find(&leakcheck::Filter::new()).is_ok());
        other.end();
    });
}

#[test]
fn it_is_off_by_setting() {
    alone(here!(), ONE_COOPERATIVE, || {
        let over = Arc::new(AtomicBool::new(false));
        let end = over.clone();
        let hog = gopark::go(move || {
            let ran = Arc::new(AtomicBool::new(false));
            let runs = ran.clone();
            drop(gopark::go(move || runs.store(true, Ordering::SeqCst)));
            // Several slices.
            let long = Instant::now() + Duration::from_millis(60);
            while Instant::now() < long {
                std::hint::spin_loop();
            }
            assert!(!ran.load(Ordering::SeqCst), "it ran beside a hog");
            spin(&end);
        });
        until("it runs", || status(hog.id()) == Some(Status::Running));
        over.store(true, Ordering::SeqCst);
        hog.join().unwrap();
    });
}

/// What the program does with the signal.
static HANDLED: AtomicU32 = AtomicU32::new(0);

#[expect(unsafe_code, reason = "a handler of the program")]
fn handle(flags: libc::c_int) {
    extern "C" fn plain(signal: libc::c_int) {
        assert_eq!(signal, libc::SIGURG);
        HANDLED.fetch_add(1, Ordering::SeqCst);
    }
    extern "C" fn informed(
        signal: libc::c_int,
        info: *mut libc::siginfo_t,
        context: *mut libc::c_void,
    ) {
        // SAFETY: the kernel's.
        let from = unsafe { (*info).si_pid() };
        assert_eq!((signal, from), (libc::SIGURG, std::process::id() as libc::c_int));
        assert!(!context.is_null());
        HANDLED.fetch_add(1, Ordering::SeqCst);
    }
    let handler =
        if flags & libc::SA_SIGINFO == 0 { plain as *const () } else { informed as *const () };
    // SAFETY: handlers of the two shapes, which do nothing that a handler may not.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as usize;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(libc::SIGURG, &raw const action, std::ptr::null_mut()), 0);
    }
}

#[expect(unsafe_code, reason = "a signal that is the program's")]
fn raise() {
    // SAFETY: it has a handler.
    assert_eq!(unsafe { libc::raise(libc::SIGURG) }, 0);
}

/// From a thread, from tasks, and from tasks while they are suspended all the time.
fn signals_of_its_own(flags: libc::c_int) {
    handle(flags);
    gopark::go(|| ()).join().unwrap();
    raise();
    assert_eq!(HANDLED.load(Ordering::SeqCst), 1);
    gopark::go(raise).join().unwrap();
    assert_eq!(HANDLED.load(Ordering::SeqCst), 2);
    let hogs = [Hog::new(), Hog::new()];
    for n in 0..20 {
        gopark::go(raise).join().unwrap();
        assert_eq!(HANDLED.load(Ordering::SeqCst), 3 + n);
    }
    // None of ours went there.
    hogs.into_iter().for_each(Hog::end);
    assert_eq!(HANDLED.load(Ordering::SeqCst), 22);
}

#[test]
fn the_program_has_its_signals() {
    alone(here!(), ONE_BRIEF, || signals_of_its_own(0));
}

#[test]
fn the_program_has_its_signals_with_what_the_kernel_says() {
    alone(here!(), ONE_BRIEF, || signals_of_its_own(libc::SA_SIGINFO));
}

/// Without a handler of the program it is ignored, as by default.
#[test]
fn a_stray_signal_does_nothing() {
    alone(here!(), ONE, || {
        gopark::go(raise).join().unwrap();
        raise();
        others_go_on();
    });
}

/// Where it is off, no handler is installed.
#[test]
fn without_it_the_signal_is_the_programs() {
    alone(here!(), &[COOPERATIVE], || {
        handle(0);
        gopark::go(raise).join().unwrap();
        assert_eq!(HANDLED.load(Ordering::SeqCst), 1);
    });
}

/// A thread that starts with all signals blocked, as those of some libraries do.
#[test]
fn whatever_the_first_user_has_blocked() {
    if inside(here!()) {
        #[expect(unsafe_code, reason = "the signal mask")]
        // SAFETY: a local set.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
        }
        let hog = gopark::go(|| for_ever());
        seen(hog.id(), Status::Running);
        others_go_on();
        return;
    }
    Child::new(here!()).env("GOPARK_MAXPROCS", "1").run().passed(here!());
}
