//! The scheduler's state as `GOPARK_DEBUG=schedtrace=N` prints it.

use crate::captured::Captured;
use crate::child::{alone, here};
use crate::sched_lines::{Block, Details, Task, parse};
use crate::support::{info, until};
use gopark::{JoinHandle, TaskId, chan};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const MAXPROCS: (&str, &str) = ("GOPARK_MAXPROCS", "1");
/// What it is told of would be printed, too.
const BRIEF: &[(&str, &str)] =
    &[MAXPROCS, ("GOPARK_DEBUG", "schedtrace=1,asyncpreemptoff=1,watchdog=0")];
const DETAILED: &[(&str, &str)] =
    &[MAXPROCS, ("GOPARK_DEBUG", "schedtrace=1,scheddetail=1,asyncpreemptoff=1,watchdog=0")];

/// The blocks among what is printed.
trait Blocks {
    fn blocks(&self) -> Vec<Block>;
    fn now(&self) -> Block;
}

impl Blocks for Captured {
    /// Whole blocks so far: the last one ends where another begins.
    #[track_caller]
    fn blocks(&self) -> Vec<Block> {
        let text = self.text();
        let end = text.rfind("SCHED ").unwrap_or(0);
        parse(text[..end].lines()).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// What is printed from now on: the second block that is new has begun after this.
    /// Keeps the thread.
    #[track_caller]
    fn now(&self) -> Block {
        let before = self.blocks().len();
        loop {
            let mut blocks = self.blocks();
            if blocks.len() > before + 2 {
                return blocks.pop().expect("three more");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[track_caller]
fn details(block: &Block) -> &Details {
    block.details.as_ref().expect("scheddetail=1")
}

#[track_caller]
fn task(block: &Block, id: TaskId) -> &Task {
    let find = |task: &&Task| task.id == id.get();
    details(block).tasks.iter().find(find).unwrap_or_else(|| panic!("no task {id}: {block:?}"))
}

/// Whether a line looks like one of these, if one may be torn.
fn is_ours(line: &str) -> bool {
    let rest = line.trim_start_matches(' ');
    line.starts_with("SCHED ")
        || line.starts_with("  ")
            && rest.starts_with(['P', 'M', 'G'])
            && rest[1..].starts_with(|c: char| c.is_ascii_digit())
}

/// What a program of Go's 1.27 has printed.
#[test]
fn the_reader_takes_what_go_prints_and_nothing_else() {
    let go = "\
SCHED 0ms: gomaxprocs=2 idleprocs=0 threads=3 spinningthreads=1 needspinning=0 idlethreads=0 runqueue=0 gcwaiting=false nmidlelocked=0 stopwait=0 sysmonwait=false
  P0: status=1 schedtick=0 syscalltick=0 m=0 runqsize=2 gfreecnt=0 timerslen=0
  P1: status=0 schedtick=0 syscalltick=0 m=nil runqsize=0 gfreecnt=0 timerslen=0
  M2: p=nil curg=nil mallocing=0 throwing=0 preemptoff= locks=0 dying=0 spinning=false blocked=false lockedg=nil
  M0: p=0 curg=1 mallocing=1 throwing=0 preemptoff= locks=34 dying=0 spinning=false blocked=false lockedg=1
  G1: status=8() m=0 lockedm=0
  G17: status=4(GOMAXPROCS updater (idle)) m=nil lockedm=nil
SCHED 110ms: gomaxprocs=2 idleprocs=2 threads=5 spinningthreads=0 needspinning=0 idlethreads=3 runqueue=0 [ 0 0 ] schedticks=[ 4 2 ]
";
    let blocks = parse(go.lines()).unwrap();
    assert_eq!(blocks.len(), 2);
    assert_eq!(blocks[0].queues, [2, 0]);
    assert_eq!(details(&blocks[0]).tasks[1].reason, "GOMAXPROCS updater (idle)");
    assert_eq!(blocks[1].ticks, [4, 2]);
    // Any byte less is another text.
    for (n, _) in go.char_indices().filter(|(_, c)| !c.is_ascii_digit() && *c != '\n') {
        let torn = format!("{}{}", &go[..n], &go[n + 1..]);
        let inside = go[..n]
            .rfind(['\n', '('])
            .is_some_and(|at| go.as_bytes()[at] == b'(' && !go[at..n].contains(") m="));
        assert!(inside || parse(torn.lines()).is_err(), "{torn}");
    }
    for line in go.lines() {
        let longer = go.replacen(line, &format!("{line} "), 1);
        assert!(parse(longer.lines()).is_err(), "{longer}");
    }
    assert!(parse("SCHED 0ms: gomaxprocs=2".lines()).is_err());
    assert!(parse("  G1: status=1() m=nil lockedm=nil".lines()).is_err());
}

/// Ready tasks in a processor's ring, on the thread of its worker, and where all look.
struct Ready {
    unstarted: Vec<TaskId>,
    bound: Vec<TaskId>,
    global: Vec<TaskId>,
}

/// A task that waits for a message or the end of messages.
fn waiter(rx: &chan::Receiver<()>) -> JoinHandle<()> {
    let rx = rx.clone();
    gopark::go(move || {
        let _ = rx.recv();
    })
}

/// For a task: two others that have started on its thread and are ready now.
fn two_ready() -> Vec<JoinHandle<()>> {
    let (tx, rx) = chan::bounded(2);
    let tasks = vec![waiter(&rx), waiter(&rx)];
    let waits = |task: &JoinHandle<()>| info(task.id()).is_some_and(|it| it.wait.is_some());
    until("they wait", || tasks.iter().all(waits));
    (0..2).for_each(|_| tx.try_send(()).unwrap());
    tasks
}

/// Calls `look` in a task that has the only processor, while others are ready.
#[track_caller]
fn with_ready(look: impl FnOnce(&Ready) + Send + 'static) {
    let task = gopark::go(move || {
        let bound = two_ready();
        // From here on nobody leaves the processor.
        let unstarted: Vec<_> = (0..3).map(|_| gopark::go(|| ())).collect();
        let global = std::thread::spawn(|| (0..4).map(|_| gopark::go(|| ())).collect::<Vec<_>>());
        let global = global.join().unwrap();
        let ids = |tasks: &[JoinHandle<()>]| tasks.iter().map(|it| it.id()).collect();
        look(&Ready { unstarted: ids(&unstarted), bound: ids(&bound), global: ids(&global) });
        unstarted.into_iter().chain(bound).chain(global).for_each(|task| task.join().unwrap());
    });
    task.join().unwrap();
}

#[test]
fn every_ready_task_is_in_one_queue() {
    alone(here!(), BRIEF, || {
        let captured = Captured::new();
        with_ready(move |_| {
            let block = captured.now();
            assert_eq!((block.maxprocs, block.idle_processors), (1, 0), "{block:?}");
            assert_eq!((block.spinning, block.needs_spinning), (0, false), "{block:?}");
            assert_eq!((block.run_queue, &*block.queues), (4, &[5][..]), "{block:?}");
            assert!(block.details.is_none() && block.ticks[0] > 0, "{block:?}");
            assert_eq!(captured.blocks()[0].milliseconds, 0);
            assert!(block.milliseconds > 0, "{block:?}");
            // Those that run tasks, one that is idle, and two more.
            assert!(block.threads >= 4 && block.idle_threads == block.threads - 3, "{block:?}");
        });
    });
}

#[test]
fn details_say_who_runs_what_where() {
    alone(here!(), DETAILED, || {
        let captured = Captured::new();
        with_ready(move |ready| {
            let me = gopark::inspect::current_task();
            // A thread that has just been made is on its way to its rest.
            let block = loop {
                let block = captured.now();
                if details(&block).workers.iter().all(|it| it.blocked || it.task.is_some()) {
                    break block;
                }
            };
            let worker = details(&block).processors[0].worker.expect("a holder");
            assert_eq!((block.run_queue, &*block.queues), (4, &[5][..]), "{block:?}");
            let holder = details(&block).workers.iter().find(|it| it.id == worker).unwrap();
            assert_eq!((holder.processor, holder.task), (Some(0), Some(me.get())));
            assert!(!holder.blocked && !holder.spinning && holder.locked.is_none());
            let others = details(&block).workers.iter().filter(|it| it.id != worker);
            for other in others {
                assert_eq!((other.processor, other.task), (None, None), "{block:?}");
                assert!(other.blocked, "{block:?}");
            }
            let mine = task(&block, me);
            assert_eq!((mine.status, mine.worker, mine.locked), (2, Some(worker), None));
            for id in ready.unstarted.iter().chain(&ready.bound).chain(&ready.global) {
                let task = task(&block, *id);
                assert_eq!((task.status, &*task.reason, task.worker), (1, "", None));
            }
            // The thread that waits for this one.
            let joins = details(&block).tasks.iter().filter(|it| it.reason == "join");
            assert!(joins.clone().all(|it| it.status == 4 && it.worker.is_none()));
            assert_eq!(joins.count(), 1, "{block:?}");
            assert_eq!(details(&block).idle_locked, 0);
            assert!(!details(&block).sysmon_waits, "{block:?}");
        });
    });
}

#[test]
fn who_waits_behind_a_call_is_in_the_run_queue() {
    alone(here!(), DETAILED, || {
        let captured = Captured::new();
        let calls = gopark::go(move || {
            let bound = two_ready();
            let me = gopark::inspect::current_task();
            gopark::blocking(|| {
                // sysmon takes the processor; nobody else can use it.
                let block = loop {
                    let block = captured.now();
                    if block.idle_processors == 1 {
                        break block;
                    }
                };
                assert_eq!((block.run_queue, &*block.queues), (2, &[0][..]), "{block:?}");
                let p = &details(&block).processors[0];
                assert_eq!((p.status, p.worker), (0, None), "{block:?}");
                assert!(p.calls >= 1, "{block:?}");
                let mine = task(&block, me);
                assert_eq!((mine.status, &*mine.reason), (3, ""), "{block:?}");
                let at = mine.worker.expect("it blocks a thread");
                let worker = details(&block).workers.iter().find(|it| it.id == at).unwrap();
                assert_eq!((worker.processor, worker.task), (None, Some(me.get())));
            });
            bound.into_iter().for_each(|task| task.join().unwrap());
        });
        calls.join().unwrap();
    });
}

#[test]
fn threads_that_are_locked_are_told_apart() {
    alone(here!(), DETAILED, || {
        let captured = Captured::new();
        let (tx, rx) = chan::rendezvous::<()>();
        let (own, locks) = (rx.clone(), rx.clone());
        let own = gopark::Builder::new().own_thread().go(move || own.recv().is_ok()).unwrap();
        let locks = gopark::go(move || {
            let _here = gopark::lock_os_thread();
            locks.recv().is_ok()
        });
        let plain = gopark::go(move || gopark::sleep(Duration::from_secs(3600)));
        let (own_id, lock_id, plain_id) = (own.id(), locks.id(), plain.id());
        let block = loop {
            let block = captured.now();
            let waits = |id: TaskId| {
                details(&block).tasks.iter().any(|it| it.id == id.get() && it.status == 4)
            };
            if waits(own_id) && waits(lock_id) && waits(plain_id) && block.idle_processors == 1 {
                break block;
            }
        };
        for id in [own_id, lock_id] {
            let task = task(&block, id);
            assert_eq!((&*task.reason, task.worker), ("chan receive", None), "{block:?}");
            let at = task.locked.expect("a thread of its own");
            let worker = details(&block).workers.iter().find(|it| it.id == at).unwrap();
            assert_eq!((worker.locked, worker.task), (Some(id.get()), None), "{block:?}");
        }
        assert_eq!(details(&block).idle_locked, 2, "{block:?}");
        let sleeps = task(&block, plain_id);
        assert_eq!((&*sleeps.reason, sleeps.locked), ("sleep", None), "{block:?}");
        assert_eq!(details(&block).processors[0].timers, 1, "{block:?}");
        drop((tx, rx));
        assert!(!own.join().unwrap() && !locks.join().unwrap());
    });
}

#[test]
fn an_idle_program_prints_too() {
    let seldom = ("GOPARK_DEBUG", "schedtrace=50,scheddetail=1,watchdog=0,shrinkstackoff=1");
    alone(here!(), &[MAXPROCS, seldom], || {
        let captured = Captured::new();
        gopark::set_maxprocs(3);
        let task = gopark::go(|| ());
        task.join().unwrap();
        loop {
            let block = captured.now();
            // Until then sysmon may have something left to do.
            let rests = block.milliseconds > 4000 && details(&block).sysmon_waits;
            if block.idle_processors == 3 && rests {
                assert_eq!((block.maxprocs, block.run_queue), (3, 0), "{block:?}");
                assert_eq!(block.queues, [0, 0, 0], "{block:?}");
                assert!(details(&block).processors.iter().all(|p| p.status == 0), "{block:?}");
                assert!(details(&block).processors[0].free <= 128, "{block:?}");
                break;
            }
        }
        // Those that are retired are not shown, as in Go.
        gopark::set_maxprocs(1);
        let block = captured.now();
        assert_eq!((block.maxprocs, block.queues.len()), (1, 1), "{block:?}");
    });
}

/// Everybody writes whole lines, and the pipe is nearly always full.
#[test]
fn no_line_is_torn() {
    alone(here!(), DETAILED, || {
        const TASKS: usize = 300;
        let captured = Captured::new();
        let (tx, rx) = chan::rendezvous::<()>();
        let tasks: Vec<_> = (0..TASKS).map(|_| waiter(&rx)).collect();
        let over = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..3)
            .map(|_| {
                let over = over.clone();
                std::thread::spawn(move || {
                    let mut lengths = (1..200).cycle();
                    while !over.load(Ordering::SeqCst) {
                        let line = "x".repeat(lengths.next().expect("no end")) + ";\n";
                        std::io::stderr().write_all(line.as_bytes()).unwrap();
                    }
                })
            })
            .collect();
        let count = |text: &str| text.matches("SCHED ").count();
        until("enough is printed", || count(&captured.text()) > 20);
        over.store(true, Ordering::SeqCst);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        let text = captured.text();
        // The last line may not be there yet.
        let lines = text.lines().take(text.matches('\n').count());
        let (ours, others): (Vec<_>, Vec<_>) = lines.partition(|line| is_ours(line));
        for other in others {
            let x = other.strip_suffix(';').is_some_and(|x| x.chars().all(|c| c == 'x'));
            assert!(x, "a torn line: {other:?}");
        }
        let blocks = parse(ours.into_iter()).unwrap();
        let full = blocks.iter().filter(|it| details(it).tasks.len() >= TASKS).count();
        assert!(full >= 2, "{full} blocks of {}", blocks.len());
        drop((tx, rx));
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}
