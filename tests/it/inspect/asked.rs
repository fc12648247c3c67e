//! The frames of adopted threads that are not parked: they are asked where they are.

use super::frames::{computes, names, with_frames};
use crate::child::{alone, here};
use crate::support::{COOPERATIVE, Gate, info, until, until_some};
use gopark::inspect::{Kind, Snapshot, Status, TaskInfo, add_frames};
use gopark::{Scope, TaskId, stack};
use std::hint::black_box;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A thread that is adopted, and then calls `f`.
fn adopted<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> (TaskId, JoinHandle<T>) {
    let (tx, rx) = mpsc::channel();
    let thread = thread::spawn(move || {
        tx.send(gopark::inspect::current_task()).unwrap();
        f()
    });
    (rx.recv().unwrap(), thread)
}

/// Makes a closure another one than those of other tests: the linker has one function for
/// all that are equal, with the name of any.
fn only_in(test: &str) {
    black_box(test);
}

/// Waits until it is seen in this function.
#[track_caller]
fn seen_in(id: TaskId, function: &str) -> TaskInfo {
    until_some("a thread is seen where it is", || {
        with_frames(id).filter(|task| names(task).contains(&function))
    })
}

/// What is said of a thread that runs and has said where it is.
#[track_caller]
fn is_shown(task: &TaskInfo, test: &str) {
    assert_eq!((task.kind, task.status), (Kind::Thread, Status::Running));
    assert!(task.wait.is_none() && task.stack.is_none());
    let trace = task.trace.as_ref().unwrap();
    assert!(trace.is_whole(), "{:?}", trace.all());
    // The test's closure, and the one above; not what std and the kernel have called it by.
    assert!(names(task).ends_with(&[test, "adopted"]), "{:?}", trace.all());
    let hidden = |what: &str| trace.all().iter().any(|it| it.runtime && it.function.contains(what));
    assert!(hidden("__rust_begin_short_backtrace"), "{:?}", trace.all());
}

#[test]
fn of_a_thread_that_computes() {
    let over = Arc::new(AtomicBool::new(false));
    let until = over.clone();
    let (id, thread) = adopted(move || {
        computes(&until);
        only_in("of_a_thread_that_computes");
    });
    is_shown(&seen_in(id, "computes"), "of_a_thread_that_computes");
    over.store(true, Ordering::SeqCst);
    thread.join().unwrap();
}

#[test]
fn on_segments() {
    let over = Arc::new(AtomicBool::new(false));
    let until = over.clone();
    let (id, thread) =
        adopted(move || stack::grow(1 << 20, || stack::grow(8 << 20, || computes(&until))));
    is_shown(&seen_in(id, "computes"), "on_segments");
    over.store(true, Ordering::SeqCst);
    thread.join().unwrap();
}

#[inline(never)]
fn sleeps(time: Duration) {
    thread::sleep(time);
    black_box(());
}

/// The kernel ends the call at each signal, and std makes it again.
#[test]
fn a_thread_that_sleeps_does_so_to_the_end() {
    const TIME: Duration = Duration::from_millis(50);
    let over = Arc::new(AtomicBool::new(false));
    let ends = over.clone();
    let (id, thread) = adopted(move || {
        let mut shortest = Duration::MAX;
        while !ends.load(Ordering::SeqCst) {
            let begun = Instant::now();
            sleeps(TIME);
            shortest = shortest.min(begun.elapsed());
        }
        shortest
    });
    let seen = seen_in(id, "sleeps");
    is_shown(&seen, "a_thread_that_sleeps_does_so_to_the_end");
    over.store(true, Ordering::SeqCst);
    assert!(thread.join().unwrap() >= TIME);
}

/// As C code does it: a call that fails is not made again.
#[inline(never)]
fn reads(mut pipe: &PipeReader) -> Result<u8, std::io::Error> {
    let mut byte = [0];
    let read = pipe.read(&mut byte)?;
    assert_eq!(read, 1);
    black_box(Ok(byte[0]))
}

fn pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    assert!(reader.as_raw_fd() >= 0);
    (reader, writer)
}

#[test]
fn a_call_that_is_interrupted_goes_on() {
    let (reader, mut writer) = pipe();
    let (id, thread) = adopted(move || {
        let read = reads(&reader);
        only_in("a_call_that_is_interrupted_goes_on");
        read
    });
    for _ in 0..20 {
        is_shown(&seen_in(id, "reads"), "a_call_that_is_interrupted_goes_on");
    }
    writer.write_all(b"x").unwrap();
    assert_eq!(thread.join().unwrap().unwrap(), b'x');
}

/// Of one that ends before its turn nothing is found, and nobody else is shown for it:
/// its record and its number serve others.
#[test]
fn a_thread_that_has_ended() {
    alone(here!(), &[], || {
        for _ in 0..20 {
            let (reader, mut writer) = pipe();
            let (id, thread) = adopted(move || reads(&reader));
            let mut tasks = Snapshot::all().tasks;
            tasks.retain(|task| task.id == id);
            assert_eq!(tasks.len(), 1);
            writer.write_all(b"x").unwrap();
            thread.join().unwrap().unwrap();
            let over = Arc::new(AtomicBool::new(false));
            let others = [(); 4].map(|()| {
                let over = over.clone();
                adopted(move || computes(&over))
            });
            add_frames(&mut tasks);
            assert!(tasks[0].trace.is_none(), "{tasks:?}");
            over.store(true, Ordering::SeqCst);
            others.into_iter().for_each(|(_, thread)| thread.join().unwrap());
        }
    });
}

/// Blocks the signal by which it is asked, or no longer.
#[expect(unsafe_code, reason = "the mask of the thread")]
fn blocks(blocks: bool) {
    // SAFETY: a local set, initialised by the first call.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGURG);
        let how = if blocks { libc::SIG_BLOCK } else { libc::SIG_UNBLOCK };
        assert_eq!(libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut()), 0);
    }
}

/// It is shown as running, at the place where it waited last; and keeps no other one from
/// answering. The signal that comes late finds nobody who has asked.
#[test]
fn a_thread_that_blocks_the_signal() {
    alone(here!(), &[], || {
        let gate = Gate::new();
        let held = gate.clone();
        let (over, unblock) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (line, ends) = (Arc::new(AtomicU64::new(0)), over.clone());
        let deaf = {
            let (line, unblock) = (line.clone(), unblock.clone());
            adopted(move || {
                blocks(true);
                held.pass();
                line.store((line!() - 1).into(), Ordering::SeqCst);
                computes(&unblock);
                blocks(false);
                computes(&ends);
            })
        };
        until("it waits", || info(deaf.0).is_some_and(|task| task.wait.is_some()));
        gate.open();
        until("it has waited", || line.load(Ordering::SeqCst) != 0);
        let until_over = over.clone();
        let other = adopted(move || computes(&until_over));
        let mut tasks = Vec::new();
        until("the other one answers", || {
            tasks = Snapshot::all().with_frames().tasks;
            tasks.iter().any(|task| task.id == other.0 && names(task).contains(&"computes"))
        });
        let seen = tasks.iter().find(|task| task.id == deaf.0).unwrap();
        assert!(seen.trace.is_none() && seen.status == Status::Running, "{seen:?}");
        let dump = gopark::inspect::dump();
        let block = format!("goroutine {} [running, locked to thread]:\nthread(...)\n\t", deaf.0);
        let place = format!("{}:{} +0x0\n", file!(), line.load(Ordering::SeqCst));
        let (_, behind) = dump.split_once(&block).unwrap_or_else(|| panic!("{dump}"));
        assert!(behind.lines().next().unwrap().ends_with(place.trim_end()), "{dump}");
        unblock.store(true, Ordering::SeqCst);
        is_shown(&seen_in(deaf.0, "computes"), "a_thread_that_blocks_the_signal");
        over.store(true, Ordering::SeqCst);
        [deaf, other].into_iter().for_each(|(_, thread)| thread.join().unwrap());
    });
}

/// Nobody is sent signals where the program does not want them.
#[test]
fn nobody_is_asked_without_signals() {
    alone(here!(), &[COOPERATIVE], || {
        let over = Arc::new(AtomicBool::new(false));
        let until = over.clone();
        let (id, thread) = adopted(move || computes(&until));
        assert!(with_frames(id).unwrap().trace.is_none());
        over.store(true, Ordering::SeqCst);
        thread.join().unwrap();
    });
}

/// One that gets a signal which was meant for another: its number is that of one that has
/// ended, say. It does nothing, and the program's own handler hears of what is the program's.
#[test]
#[expect(unsafe_code, reason = "signals")]
fn a_signal_for_somebody_else() {
    static STRAY: AtomicU64 = AtomicU64::new(0);
    extern "C" fn on_stray(_: libc::c_int) {
        STRAY.fetch_add(1, Ordering::SeqCst);
    }
    /// The head of the kernel's `siginfo_t`.
    #[repr(C)]
    struct Info {
        head: [libc::c_int; 4],
        pid: libc::pid_t,
        uid: libc::uid_t,
        value: usize,
        rest: [usize; 12],
    }
    alone(here!(), &[], || {
        // SAFETY: a handler with the right signature that is fit for anything.
        unsafe { libc::signal(libc::SIGURG, on_stray as *const () as libc::sighandler_t) };
        gopark::go(|| ()).join().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let until_over = over.clone();
        let (tx, rx) = mpsc::channel();
        let (id, thread) = adopted(move || {
            // SAFETY: asks.
            tx.send(unsafe { libc::gettid() }).unwrap();
            computes(&until_over);
        });
        let tid = rx.recv().unwrap();
        // This thread is asked all the time, and those are answered.
        is_shown(&seen_in(id, "computes"), "a_signal_for_somebody_else");
        assert_eq!(STRAY.load(Ordering::SeqCst), 0, "asking is none of the program's business");
        for value in [0, 8, (&raw const STRAY).addr(), usize::MAX] {
            let before = STRAY.load(Ordering::SeqCst);
            until("the program's handler has run", || {
                // SAFETY: asks.
                let pid = unsafe { libc::getpid() };
                let head = [libc::SIGURG, 0, libc::SI_QUEUE, 0];
                let info = Info { head, pid, uid: 0, value, rest: [0; 12] };
                // SAFETY: the kernel reads 128 bytes of a siginfo.
                unsafe {
                    let number = libc::SYS_rt_tgsigqueueinfo;
                    libc::syscall(number, pid, tid, libc::SIGURG, &raw const info);
                }
                is_shown(&seen_in(id, "computes"), "a_signal_for_somebody_else");
                STRAY.load(Ordering::SeqCst) > before
            });
        }
        over.store(true, Ordering::SeqCst);
        thread.join().unwrap();
    });
}

/// As small an alternate stack as std gives its threads has room for whoever asks.
#[test]
#[expect(unsafe_code, reason = "an alternate stack")]
fn a_small_signal_stack_is_enough() {
    const UNTOUCHED: u8 = 0xA5;
    let over = Arc::new(AtomicBool::new(false));
    let until_over = over.clone();
    let (id, thread) = adopted(move || {
        let mut memory = vec![UNTOUCHED; 1 << 16];
        let begin = memory.as_mut_ptr();
        // SAFETY: a zeroed one is valid.
        let mut before: libc::stack_t = unsafe { std::mem::zeroed() };
        let mine = libc::stack_t { ss_sp: begin.cast(), ss_flags: 0, ss_size: memory.len() };
        // SAFETY: the memory stays until the stack is taken away again.
        unsafe { libc::sigaltstack(&raw const mine, &raw mut before) };
        computes(&until_over);
        // SAFETY: what was there before.
        unsafe { libc::sigaltstack(&raw const before, std::ptr::null_mut()) };
        let touched = memory.iter().position(|byte| *byte != UNTOUCHED);
        (memory.len() - touched.unwrap_or(memory.len()), before.ss_size)
    });
    // Seen on it, so that it has been used by then.
    is_shown(&seen_in(id, "computes"), "a_small_signal_stack_is_enough");
    over.store(true, Ordering::SeqCst);
    let (used, size) = thread.join().unwrap();
    assert!(used > 1000 && used < size, "{used} of {size}");
    println!("{used} bytes of {size}");
}

/// Threads that come and go, some of them adopted as their last act, while they are looked
/// at all the time by two that look at each other.
#[test]
fn threads_that_come_and_go() {
    alone(here!(), &[], || {
        let over = Arc::new(AtomicBool::new(false));
        let lookers = [(); 2].map(|()| {
            let over = over.clone();
            thread::spawn(move || {
                let mut looks = 0;
                drop(Scope::current());
                while !over.load(Ordering::SeqCst) || looks < 3 {
                    for task in Snapshot::all().with_frames().tasks {
                        let shown = task.trace.as_ref();
                        assert!(shown.is_none_or(|it| !it.addresses().is_empty()), "{task:?}");
                    }
                    looks += 1;
                }
            })
        });
        for _ in 0..100 {
            let threads = [(); 8].map(|()| {
                thread::spawn(|| {
                    drop(Scope::current());
                    let (tx, rx) = gopark::chan::bounded(1);
                    for n in 0..10 {
                        tx.send(vec![n; n]).unwrap();
                        assert_eq!(rx.recv().unwrap().len(), n);
                    }
                })
            });
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
        over.store(true, Ordering::SeqCst);
        lookers.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(info(gopark::inspect::current_task()).is_some());
    });
}
