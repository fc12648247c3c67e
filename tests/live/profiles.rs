//! Profiles of waits, locks and CPU time, over HTTP and by call.

use crate::child::{alone, here};
use crate::client::get;
use crate::proto::{self, Profile, Sample};
use crate::{parked, pprof, rows, toolchain};
use gopark::inspect::{cpu_profile, set_block_profile_rate, set_mutex_profile_fraction};
use gopark::sync::Mutex;
use gopark::{JoinHandle, chan, debug};
use std::hint::black_box;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(3);

fn kinds(kinds: &[(&str, &str)]) -> Vec<(String, String)> {
    kinds.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

fn fetch(address: SocketAddr, path: &str) -> Profile {
    let answer = get(address, path);
    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    proto::read(&answer.body)
}

#[track_caller]
fn text(address: SocketAddr, path: &str) -> String {
    let answer = get(address, path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.text().to_owned()
}

fn among<'a>(profile: &'a Profile, function: &str) -> Vec<&'a Sample> {
    profile.samples.iter().filter(|sample| sample.is_in(function)).collect()
}

#[inline(never)]
fn receives(rx: &chan::Receiver<u8>) {
    black_box(rx.recv().is_ok());
}

#[inline(never)]
fn waits_for_a_lock(lock: &Mutex<u64>) {
    *lock.lock() += 1;
    black_box(());
}

#[inline(never)]
fn lets_go<T>(guard: T) {
    drop(black_box(guard));
    black_box(());
}

/// Three tasks wait for a channel, and four for a lock, one after the other.
fn contend() {
    set_block_profile_rate(1);
    assert_eq!(set_mutex_profile_fraction(1), 0);
    let (tx, rx) = chan::rendezvous();
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let rx = rx.clone();
            gopark::go(move || receives(&rx))
        })
        .collect();
    parked("::receives", 3);
    gopark::sleep(SHORT);
    drop(tx);
    tasks.into_iter().for_each(|task| task.join().unwrap());
    let lock = Arc::new(Mutex::new(0));
    for _ in 0..4 {
        let guard = lock.lock();
        let other = lock.clone();
        let task = gopark::go(move || waits_for_a_lock(&other));
        parked("::waits_for_a_lock", 1);
        gopark::sleep(SHORT);
        lets_go(guard);
        task.join().unwrap();
    }
    set_block_profile_rate(0);
    set_mutex_profile_fraction(0);
}

#[test]
fn waits_and_locks_are_served() {
    alone(here!(), &[], || {
        let endpoint = debug::serve("127.0.0.1:0").unwrap();
        let address = endpoint.local_addr();
        for path in ["/debug/pprof/block", "/debug/pprof/mutex"] {
            assert!(fetch(address, path).samples.is_empty());
        }
        assert_eq!(
            text(address, "/debug/pprof/block?debug=1"),
            "--- contention:\ncycles/second=1000000000\n"
        );
        assert_eq!(
            text(address, "/debug/pprof/mutex?debug=1"),
            "--- mutex:\ncycles/second=1000000000\nsampling period=0\n"
        );
        contend();
        let block = fetch(address, "/debug/pprof/block");
        assert_eq!(
            block.sample_types,
            kinds(&[("contentions", "count"), ("delay", "nanoseconds")])
        );
        assert_eq!(block.period_type, kinds(&[("contentions", "count")])[0]);
        assert_eq!(block.period, 1);
        let short = SHORT.as_nanos() as u64;
        for (function, count) in [("::receives", 3), ("::waits_for_a_lock", 4)] {
            let samples = among(&block, function);
            assert_eq!(samples.iter().map(|it| it.values[0]).sum::<u64>(), count, "{block:#?}");
            let delay = samples.iter().map(|it| it.values[1]).sum::<u64>();
            assert!(delay >= count * short, "{block:#?}");
        }
        let mutex = fetch(address, "/debug/pprof/mutex");
        let lets_go = mutex
            .samples
            .iter()
            .filter(|it| it.stack.iter().any(|(name, ..)| name.contains("::lets_go")));
        let values: Vec<_> = lets_go.map(|it| (it.values[0], it.values[1])).collect();
        assert_eq!(values.iter().map(|it| it.0).sum::<u64>(), 4, "{mutex:#?}");
        assert!(values.iter().map(|it| it.1).sum::<u64>() >= 4 * short, "{mutex:#?}");
        assert!(among(&mutex, "::waits_for_a_lock").is_empty(), "{mutex:#?}");

        // The numbers, the addresses, and a line for each function.
        let block = text(address, "/debug/pprof/block?debug=1");
        let line = block.lines().find(|line| line.contains("::receives+0x")).unwrap();
        let cells: Vec<_> = line.split('\t').filter(|cell| !cell.is_empty()).collect();
        assert_eq!(cells[0], "#", "{block}");
        assert!(cells[1].starts_with("0x") && cells[3].contains("profiles.rs:"), "{block}");
        let head = block.lines().find(|line| line.contains(" 3 @ 0x")).unwrap();
        let delay: u64 = head.split(' ').next().unwrap().parse().unwrap();
        assert!(delay >= 3 * short && head.contains(cells[1]), "{block}");
    });
}

/// As `go tool pprof -seconds` asks for it: what there was before is not in it.
#[test]
fn waits_of_the_next_seconds_are_served() {
    alone(here!(), &[], || {
        let endpoint = debug::serve("127.0.0.1:0").unwrap();
        let address = endpoint.local_addr();
        contend();
        set_block_profile_rate(1);
        set_mutex_profile_fraction(1);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let load = gopark::go(move || {
            let lock = Mutex::new(0);
            while !stopped.load(Ordering::Relaxed) {
                gopark::scope(|s| {
                    let guard = lock.lock();
                    s.go(|| *lock.lock() += 1);
                    gopark::sleep(SHORT);
                    lets_go(guard);
                });
            }
        });
        for (name, own) in [("block", "_of_the_next_seconds_"), ("mutex", "::lets_go")] {
            let path = format!("/debug/pprof/{name}");
            let all = fetch(address, &path);
            assert!(
                all.samples.iter().any(|it| it.stack.iter().any(|f| f.0.contains("::contend")))
            );
            assert_eq!(all.duration, 0);
            let path = format!("{path}?seconds=0.2");
            loop {
                let next = fetch(address, &path);
                let has = |part| {
                    let mut frames = next.samples.iter().flat_map(|it| &it.stack);
                    frames.any(|frame| frame.0.contains(part))
                };
                assert!(!has("::receives") && !has("::contend"), "{next:#?}");
                assert!(next.duration >= 200_000_000, "{next:#?}");
                if has(own) {
                    break;
                }
            }
            let next = text(address, &format!("{path}&debug=1"));
            assert!(!next.contains("::contend"), "{next}");
        }
        stop.store(true, Ordering::Relaxed);
        load.join().unwrap();
        for path in ["/debug/pprof/profile?seconds=0.2", "/debug/pprof/trace?seconds=0.2"] {
            assert_eq!(get(address, path).status, 200, "{path}");
        }
    });
}

#[inline(never)]
fn computes(stop: &AtomicBool) -> u64 {
    let mut x = 1_u64;
    while !stop.load(Ordering::Relaxed) {
        for n in 0..1000 {
            x = black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n));
        }
    }
    x
}

/// A task and a thread compute until they are told to stop.
struct Busy {
    stop: Arc<AtomicBool>,
    task: JoinHandle<u64>,
    thread: std::thread::JoinHandle<u64>,
}

// Equal functions would be one, optimised.
#[inline(never)]
fn of_a_thread(stop: &AtomicBool) -> u64 {
    black_box(computes(stop)) + 1
}

#[inline(never)]
fn of_a_task(stop: &AtomicBool) -> u64 {
    black_box(computes(stop)) + 2
}

impl Busy {
    fn new() -> Busy {
        let stop = Arc::new(AtomicBool::new(false));
        let [first, second] = [stop.clone(), stop.clone()];
        let builder = gopark::Builder::new().name("busy").label("kind", "loop");
        let task = builder.go(move || of_a_task(&first)).unwrap();
        Busy { stop, task, thread: std::thread::spawn(move || of_a_thread(&second)) }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.join().unwrap();
        self.thread.join().unwrap();
    }
}

/// Whatever is computed is found, of tasks and of threads that are none of ours.
#[test]
fn cpu_time_is_found_where_it_is_spent() {
    alone(here!(), &[], || {
        let endpoint = debug::serve("127.0.0.1:0").unwrap();
        let address = endpoint.local_addr();
        let busy = Busy::new();
        let begun = Instant::now();
        let samples = loop {
            let profile = fetch(address, "/debug/pprof/profile?seconds=1");
            assert_eq!(
                profile.sample_types,
                kinds(&[("samples", "count"), ("cpu", "nanoseconds")])
            );
            assert_eq!(profile.period_type, kinds(&[("cpu", "nanoseconds")])[0]);
            assert_eq!(profile.period, 10_000_000);
            assert!(profile.duration >= 1_000_000_000);
            for sample in &profile.samples {
                assert_eq!(sample.values[1], sample.values[0] * profile.period);
            }
            // Who gets no CPU has no samples.
            let [task, thread] = ["::of_a_task", "::of_a_thread"].map(|function| {
                among(&profile, function).iter().map(|it| it.values[0]).sum::<u64>()
            });
            if task > 0 && thread > 0 {
                break profile;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{profile:#?}");
        };
        let task = among(&samples, "::of_a_task");
        assert!(task.iter().all(|it| it.labels == kinds(&[("name", "busy"), ("kind", "loop")])));
        // What is inlined into it comes first.
        let computes = |sample: &&Sample| {
            let at = sample.stack.iter().position(|frame| frame.0.ends_with("::computes"));
            at.is_some_and(|at| sample.stack[at + 1].0.ends_with("::of_a_task"))
        };
        assert!(task.iter().any(computes), "{task:#?}");
        let thread = among(&samples, "::of_a_thread");
        assert!(thread.iter().all(|it| it.labels.is_empty()), "{thread:#?}");
        busy.end();
    });
}

/// Other pages are there meanwhile, but not a second profile.
#[test]
fn a_cpu_profile_holds_nobody_up() {
    alone(here!(), &[], || {
        let endpoint = debug::serve("127.0.0.1:0").unwrap();
        let address = endpoint.local_addr();
        let start =
            || std::thread::spawn(move || get(address, "/debug/pprof/profile?seconds=50").status);
        let mut slow = start();
        // It begins some time, unless this one is first.
        let error = loop {
            if slow.is_finished() {
                slow = start();
            }
            if let Err(error) = cpu_profile(SHORT) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::ResourceBusy, "{error}");
        let refused = get(address, "/debug/pprof/profile?seconds=1");
        assert_eq!(refused.status, 500);
        assert!(refused.text().contains("being made already"), "{}", refused.text());
        assert_eq!(get(address, "/metrics").status, 200);
        for wrong in ["601", "x", "-1"] {
            let path = format!("/debug/pprof/profile?seconds={wrong}");
            assert_eq!(get(address, &path).status, 400, "{wrong}");
        }
        assert!(!slow.is_finished(), "the others have waited for it");
    });
}

/// Who handles SIGPROF himself goes on doing so.
#[test]
fn the_programs_own_handler_is_respected() {
    extern "C" fn own(_: libc::c_int) {}
    alone(here!(), &[], || {
        // SAFETY: the handler does nothing.
        unsafe { libc::signal(libc::SIGPROF, own as *const () as libc::sighandler_t) };
        let error = cpu_profile(SHORT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceBusy, "{error}");
        assert!(error.to_string().contains("SIGPROF"), "{error}");
    });
}

#[test]
fn pprof_reads_them() {
    let go = match toolchain::find() {
        Ok(go) => go,
        Err(why) => {
            println!("SKIPPED: Go cannot be had, so its tools read nothing here: {why}");
            return;
        }
    };
    let endpoint = debug::serve("127.0.0.1:0").unwrap();
    let url = |path: &str| format!("http://{}{path}", endpoint.local_addr());
    contend();
    let top = pprof(&go, &["-top", "-sample_index=contentions"], &url("/debug/pprof/block"));
    assert!(top.contains("Type: contentions\n"), "{top}");
    for (function, count) in [("::receives", "3"), ("::waits_for_a_lock", "4")] {
        let rows = rows(&top, function);
        assert_eq!(rows.len(), 1, "{top}");
        assert_eq!(rows[0][3], count, "{top}");
    }
    let traces = pprof(&go, &["-traces"], &url("/debug/pprof/block"));
    assert!(traces.contains("Type: delay\n"), "{traces}");
    assert!(traces.contains("::receives\n"), "{traces}");
    let top = pprof(&go, &["-top"], &url("/debug/pprof/mutex"));
    assert!(top.contains("::lets_go"), "{top}");
    assert!(!top.contains("::waits_for_a_lock"), "{top}");
    let traces = pprof(&go, &["-traces", "-sample_index=contentions"], &url("/debug/pprof/mutex"));
    assert!(traces.contains("::lets_go"), "{traces}");

    let busy = Busy::new();
    let begun = Instant::now();
    // Who gets no CPU has no samples.
    let top = loop {
        let top = pprof(&go, &["-top"], &url("/debug/pprof/profile?seconds=1"));
        if top.contains("::of_a_task") && top.contains("::of_a_thread") {
            break top;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{top}");
    };
    assert!(top.contains("Type: cpu\n") && top.contains("Duration: "), "{top}");
    assert_eq!(rows(&top, "::computes").len(), 1, "{top}");
    let traces = pprof(&go, &["-traces"], &url("/debug/pprof/profile?seconds=1"));
    assert!(traces.contains("::computes"), "{traces}");
    busy.end();
    endpoint.close();
}
