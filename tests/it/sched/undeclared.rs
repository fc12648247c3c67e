//! System calls that block a task's thread and that nobody has declared: the signal
//! finds them, and others get the processor.

use super::{
    Hog, ONE, ONE_BRIEF, ONE_LONG, TWO_BRIEF, detached, migrate, others_go_on, spin, status,
};
use crate::child::{alone, here};
use crate::support::{Gate, Tally, info, parked, until};
use gopark::inspect::{Status, WaitReason};
use gopark::sync::{Mutex, WaitGroup};
use gopark::{Builder, JoinError, JoinHandle, Scope, TaskId, blocking, chan};
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, mpsc};
use std::time::{Duration, Instant};

/// Waits without end until it can be read from. Counts how often that is interrupted.
#[expect(unsafe_code, reason = "poll, which returns when it is interrupted")]
fn poll(pipe: &PipeReader, interrupted: &Tally) {
    let mut fd = libc::pollfd { fd: pipe.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    loop {
        // SAFETY: one place, and its number.
        let ready = unsafe { libc::poll(&raw mut fd, 1, -1) };
        if ready == 1 {
            return;
        }
        let error = std::io::Error::last_os_error();
        assert_eq!(error.raw_os_error(), Some(libc::EINTR));
        interrupted.add();
    }
}

struct Blocks {
    name: &'static str,
    call: Box<dyn FnOnce() + Send>,
    /// Lets it return.
    end: Box<dyn FnOnce()>,
}

fn blocks(
    name: &'static str,
    call: impl FnOnce() + Send + 'static,
    end: impl FnOnce() + 'static,
) -> Blocks {
    Blocks { name, call: Box::new(call), end: Box::new(end) }
}

fn all_kinds() -> Vec<Blocks> {
    let (mut read, mut write) = pipe().unwrap();
    let (polled, mut wakes) = pipe().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tx, rx) = mpsc::channel();
    let pair = Arc::new((std::sync::Mutex::new(false), Condvar::new()));
    let set = pair.clone();
    vec![
        blocks(
            "read",
            move || read.read_exact(&mut [0]).unwrap(),
            move || write.write_all(b"x").unwrap(),
        ),
        blocks(
            "poll",
            move || poll(&polled, &Tally::new()),
            move || wakes.write_all(b"x").unwrap(),
        ),
        blocks(
            "accept",
            move || drop(listener.accept().unwrap()),
            move || drop(TcpStream::connect(address).unwrap()),
        ),
        blocks("a channel of std", move || rx.recv().unwrap(), move || tx.send(()).unwrap()),
        blocks(
            "a condition of std",
            move || {
                let (lock, condition) = &*pair;
                drop(condition.wait_while(lock.lock().unwrap(), |over| !*over).unwrap());
            },
            move || {
                *set.0.lock().unwrap() = true;
                set.1.notify_one();
            },
        ),
    ]
}

fn others_go_on_meanwhile() {
    for Blocks { name, call, end } in all_kinds() {
        let task = gopark::go(call);
        detached(task.id());
        let shown = info(task.id()).unwrap();
        assert!(shown.wait.is_none() && !shown.durably_blocked(), "{name}");
        others_go_on();
        assert_eq!(status(task.id()), Some(Status::Syscall), "{name}");
        end();
        task.join().unwrap();
    }
}

#[test]
fn others_get_the_processor() {
    alone(here!(), ONE, others_go_on_meanwhile);
}

#[test]
fn others_get_the_processor_where_tasks_migrate() {
    alone(here!(), &[], || {
        migrate(1);
        others_go_on_meanwhile();
    });
}

#[test]
fn others_go_on_while_one_sleeps() {
    alone(here!(), ONE, || {
        let begun = Instant::now();
        let nap = Duration::from_millis(20);
        let sleeper = gopark::go(move || std::thread::sleep(nap));
        let long = gopark::go(|| std::thread::sleep(Duration::from_secs(3600)));
        detached(long.id());
        others_go_on();
        sleeper.join().unwrap();
        assert!(begun.elapsed() >= nap, "it woke too early");
        assert_eq!(status(long.id()), Some(Status::Syscall));
        // The process ends in spite of it.
    });
}

/// Of two hundred, all at once.
#[test]
fn many_block_at_once() {
    alone(here!(), TWO_BRIEF, || {
        let pipes: Vec<(PipeReader, PipeWriter)> = (0..200).map(|_| pipe().unwrap()).collect();
        let (readers, writers): (Vec<_>, Vec<_>) = pipes.into_iter().unzip();
        let tasks: Vec<_> = readers
            .into_iter()
            .map(|mut reader| {
                gopark::go(move || {
                    let mut text = String::new();
                    reader.read_to_string(&mut text).unwrap();
                    text
                })
            })
            .collect();
        tasks.iter().for_each(|task| detached(task.id()));
        others_go_on();
        for (n, mut writer) in writers.into_iter().enumerate() {
            write!(writer, "pipe {n}").unwrap();
        }
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.join().unwrap(), format!("pipe {n}"));
        }
    });
}

/// Many slices of others end, and do not interrupt it. A signal that was sent while the
/// one before was under way may come late, so this waits until no more come.
#[track_caller]
fn left_in_peace(interrupted: &Tally) {
    let hog = Hog::new();
    until("no signal comes any more", || {
        let before = interrupted.count();
        let end = Instant::now() + Duration::from_millis(50);
        while Instant::now() < end {
            others_go_on();
        }
        interrupted.count() == before
    });
    hog.end();
}

/// However long it lasts.
#[test]
fn a_call_is_interrupted_once() {
    alone(here!(), ONE_BRIEF, || {
        let (polled, mut wakes) = pipe().unwrap();
        let interrupted = Tally::new();
        let count = interrupted.clone();
        let task = gopark::go(move || poll(&polled, &count));
        detached(task.id());
        left_in_peace(&interrupted);
        assert_ne!(interrupted.count(), 0, "nothing has interrupted it");
        wakes.write_all(b"x").unwrap();
        task.join().unwrap();
    });
}

/// Blocks its thread until it has lost its processor, and goes on with `f`.
struct AfterCall<T> {
    task: JoinHandle<T>,
    end: PipeWriter,
}

impl<T: Send + 'static> AfterCall<T> {
    #[track_caller]
    fn go(f: impl FnOnce() -> T + Send + 'static) -> AfterCall<T> {
        let (mut reader, end) = pipe().unwrap();
        let task = Builder::new().name("it").go(move || {
            reader.read_exact(&mut [0]).unwrap();
            f()
        });
        let task = task.unwrap();
        detached(task.id());
        AfterCall { task, end }
    }

    fn id(&self) -> TaskId {
        self.task.id()
    }

    fn join(mut self) -> Result<T, JoinError> {
        self.end.write_all(b"x").unwrap();
        self.task.join()
    }
}

fn here_is(scope: &Scope) -> Status {
    let tasks = gopark::inspect::Snapshot::of(scope).tasks;
    tasks.iter().find(|task| task.name.as_deref() == Some("it")).expect("the caller").status
}

type Action = Box<dyn FnOnce() + Send>;

/// What needs a processor: the task has one afterwards.
fn entries() -> Vec<(&'static str, Action)> {
    fn action(name: &'static str, f: impl FnOnce() + Send + 'static) -> (&'static str, Action) {
        (name, Box::new(f))
    }
    let (lock, group) = (Arc::new(Mutex::new(0)), WaitGroup::new());
    vec![
        action("safepoint", gopark::safepoint),
        action("yield_now", gopark::yield_now),
        action("sleep", || gopark::sleep(Duration::from_micros(1))),
        action("go", || drop(gopark::go(|| ()))),
        action("go and join", || assert_eq!(gopark::go(|| 7).join().unwrap(), 7)),
        action("recv", || {
            let (tx, rx) = chan::rendezvous();
            drop(gopark::go(move || tx.send(8).unwrap()));
            assert_eq!(rx.recv().unwrap(), 8);
        }),
        action("send", || {
            let (tx, rx) = chan::rendezvous();
            let partner = gopark::go(move || rx.recv().unwrap());
            tx.send(9).unwrap();
            assert_eq!(partner.join().unwrap(), 9);
        }),
        action("a send that need not wait", || {
            let (tx, _rx) = chan::bounded(1);
            tx.send(()).unwrap();
        }),
        action("a timeout", || {
            assert!(chan::never::<()>().recv_timeout(Duration::from_micros(10)).is_err());
        }),
        action("lock", move || *lock.lock() += 1),
        action("wait", move || {
            group.go(gopark::yield_now);
            group.wait();
        }),
        action("blocking", || blocking(|| ())),
        action("offload", || assert_eq!(gopark::offload(|| 10), 10)),
        action("no_park", || gopark::no_park(gopark::safepoint)),
        action("grow", || gopark::stack::grow(2 << 20, gopark::yield_now)),
    ]
}

#[test]
fn it_takes_a_processor_where_it_needs_one() {
    alone(here!(), ONE_LONG, || {
        for (name, action) in entries() {
            let scope = Scope::new("one");
            let (inside, entered) = (scope.clone(), scope.enter());
            let task = AfterCall::go(move || {
                action();
                here_is(&inside)
            });
            drop(entered);
            assert_eq!(task.join().unwrap(), Status::Running, "after {name}");
            until("nobody is left", || scope.live() == 0);
        }
    });
}

/// A hog has the processor, for a slice.
#[test]
fn it_waits_for_one_beside_a_hog() {
    alone(here!(), ONE_BRIEF, || {
        let hog = Hog::new();
        for (name, action) in entries() {
            let task = AfterCall::go(move || {
                action();
                name
            });
            assert_eq!(task.join().unwrap(), name);
        }
        hog.end();
    });
}

#[test]
fn it_ends_in_every_way() {
    alone(here!(), ONE_LONG, || {
        for _ in 0..5 {
            assert_eq!(AfterCall::go(|| 7).join().unwrap(), 7);
            let panics = || std::panic::resume_unwind(Box::new("of the task"));
            let Err(JoinError::Panicked(payload)) = AfterCall::<()>::go(panics).join() else {
                panic!("no panic")
            };
            assert_eq!(payload.downcast_ref(), Some(&"of the task"));
            let exits = AfterCall::<()>::go(|| gopark::goexit()).join();
            assert!(matches!(exits, Err(JoinError::Exited)));
            others_go_on();
        }
    });
}

/// It declares a call where it is detached: its place is shown, and when it has
/// parked in it, the call goes on without a processor.
#[test]
fn a_declared_call_in_it_is_one() {
    alone(here!(), ONE_LONG, || {
        let gate = Gate::new();
        let held = gate.clone();
        let over = Arc::new(AtomicBool::new(false));
        let end = over.clone();
        let task = AfterCall::go(move || {
            blocking(|| {
                held.pass();
                spin(&end);
            });
        });
        let id = task.id();
        let ended = std::thread::spawn(move || task.join().is_ok());
        parked(id, WaitReason::ChanReceive);
        gate.open();
        until("it is in the call again", || status(id) == Some(Status::Syscall));
        let site = info(id).unwrap().call.expect("a declared call");
        assert_eq!(site.file(), file!());
        others_go_on();
        over.store(true, Ordering::SeqCst);
        assert!(ended.join().unwrap());
    });
}

/// The place of a call that is declared where the task is detached.
#[test]
fn the_place_of_a_declared_call_is_shown() {
    alone(here!(), ONE_LONG, || {
        let over = Arc::new(AtomicBool::new(false));
        let end = over.clone();
        let line = line!() + 1;
        let task = AfterCall::go(move || blocking(|| spin(&end)));
        let id = task.id();
        let ended = std::thread::spawn(move || task.join().is_ok());
        until("it is in a declared call", || {
            info(id).unwrap().call.is_some_and(|at| (at.file(), at.line()) == (file!(), line))
        });
        over.store(true, Ordering::SeqCst);
        assert!(ended.join().unwrap());
    });
}

/// Inside of a call that is declared neither.
#[test]
fn a_declared_call_is_interrupted_once_at_most() {
    alone(here!(), ONE_BRIEF, || {
        let (polled, mut wakes) = pipe().unwrap();
        let interrupted = Tally::new();
        let count = interrupted.clone();
        let task = gopark::go(move || blocking(|| poll(&polled, &count)));
        super::seen(task.id(), Status::Syscall);
        assert!(info(task.id()).unwrap().call.is_some());
        left_in_peace(&interrupted);
        wakes.write_all(b"x").unwrap();
        task.join().unwrap();
    });
}

/// It is on a segment.
#[test]
fn on_a_segment_too() {
    alone(here!(), ONE, || {
        let (mut reader, mut end) = pipe().unwrap();
        let task = gopark::go(move || {
            gopark::stack::grow(1 << 20, || {
                let array = [7_u8; 4096];
                reader.read_exact(&mut [0]).unwrap();
                gopark::yield_now();
                array.iter().map(|n| usize::from(*n)).sum::<usize>()
            })
        });
        detached(task.id());
        others_go_on();
        end.write_all(b"x").unwrap();
        assert_eq!(task.join().unwrap(), 7 * 4096);
    });
}

/// Calls of all lengths about that of a slice, with parks and spawns in between.
fn traffic(tasks: usize, rounds: usize) {
    let (tx, rx) = chan::bounded(4);
    let done = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..tasks)
        .map(|n| {
            let (tx, rx, done) = (tx.clone(), rx.clone(), done.clone());
            gopark::go(move || {
                let mut random = n as u64 + 1;
                for _ in 0..rounds {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    std::thread::sleep(Duration::from_micros(random >> 52));
                    match random >> 33 & 3 {
                        0 => gopark::yield_now(),
                        1 => {
                            tx.send(n).unwrap();
                            rx.recv().unwrap();
                        }
                        2 => drop(gopark::go(move || n).join().unwrap()),
                        _ => {
                            for _ in 0..random >> 45 {
                                std::hint::spin_loop();
                            }
                        }
                    }
                }
                done.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    let count = tasks.len();
    tasks.into_iter().for_each(|task| task.join().unwrap());
    assert_eq!(done.load(Ordering::SeqCst), count);
}

#[test]
fn no_wake_up_is_lost() {
    alone(here!(), ONE_BRIEF, || traffic(20, 20));
}

#[test]
fn nor_on_two_processors() {
    alone(here!(), TWO_BRIEF, || traffic(20, 20));
}

#[test]
fn nor_where_tasks_migrate() {
    alone(here!(), &[("GOPARK_SLICE", "1ms")], || {
        migrate(2);
        traffic(20, 20);
    });
}
