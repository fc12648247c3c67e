//! What tools and other programs see of a process whose tasks are suspended: a
//! debugger, a profiler, a program that it starts, and the machine when it idles.

use crate::child::{Child, inside};
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("a_debugger_stops_and_continues_it", a_debugger_stops_and_continues_it),
    ("a_tracer_sees_its_signals", a_tracer_sees_its_signals),
    ("a_profiler_samples_it", a_profiler_samples_it),
    ("a_child_process_starts_clean", a_child_process_starts_clean),
    ("an_idle_process_takes_no_time", an_idle_process_takes_no_time),
    ("nor_with_parked_and_blocked_tasks", nor_with_parked_and_blocked_tasks),
];

/// What the process says when all is well.
const RIGHT: &str = "the sums are right";

/// A file that the program makes when its tasks run, with its number in it.
const BEGUN: &str = "GOPARK_TEST_BEGUN";
/// One that ends it.
const END: &str = "GOPARK_TEST_END";

/// Four tasks on one processor, in slices of a millisecond, until they have computed
/// for a while and nobody wants more of them.
fn preempted_all_the_time() {
    fn sum(seed: u64) -> u64 {
        (0..2_000_u64).fold(seed, |x, n| black_box(x.wrapping_mul(31).wrapping_add(n)))
    }
    let over = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..4)
        .map(|n| {
            let over = over.clone();
            gopark::go(move || {
                let first = sum(n);
                while !over.load(Ordering::SeqCst) {
                    assert_eq!(sum(n), first);
                    drop(black_box(vec![n; 100]));
                }
            })
        })
        .collect();
    gopark::go(|| ()).join().unwrap();
    if let Some(file) = std::env::var_os(BEGUN) {
        fs::write(&file, std::process::id().to_string()).unwrap();
    }
    let wanted = || std::env::var_os(END).is_some_and(|file| !Path::new(&file).exists());
    while computed() < Duration::from_millis(1500) || wanted() {
        std::thread::sleep(Duration::from_millis(10));
    }
    over.store(true, Ordering::SeqCst);
    tasks.into_iter().for_each(|task| task.join().unwrap());
    println!("{RIGHT}");
}

/// What is said by this program, doing that, and by a tool that it runs under.
fn under(tool: &str, args: &[&str]) -> String {
    under_with(tool, args, &[])
}

fn under_with(tool: &str, args: &[&str], variables: &[(&str, &Path)]) -> String {
    let this = std::env::current_exe().unwrap();
    let name = args.last().expect("the test");
    let mut command = Command::new(tool);
    command.args(&args[..args.len() - 1]).arg(this).arg(name).stdin(Stdio::null());
    command.env("GOPARK_TEST_INSIDE", name);
    command.env("GOPARK_MAXPROCS", "1").env("GOPARK_SLICE", "1ms");
    command.envs(variables.iter().copied());
    let ended = command.output().expect("it worked a moment ago");
    String::from_utf8_lossy(&[&ended.stdout[..], &ended.stderr].concat()).into_owned()
}

/// Whether the tool is there, and may do here what it is for.
fn works(tool: &str, args: &[&str]) -> bool {
    let ended = Command::new(tool).args(args).arg("true").stdin(Stdio::null()).output();
    ended.is_ok_and(|ended| ended.status.success())
}

fn a_debugger_stops_and_continues_it() {
    let name = "a_debugger_stops_and_continues_it";
    if inside(name) {
        return preempted_all_the_time();
    }
    if !works("gdb", &["-batch", "-nx", "-ex", "run", "--args"]) {
        return println!("no debugger works here");
    }
    // As by the keyboard, some times, when its tasks run; it continues, and shows all
    // threads. After that it may end.
    let script = "import threading, time, gdb, os, signal
stops = 0
def interrupt():
    begun = os.environ['GOPARK_TEST_BEGUN']
    while not os.path.exists(begun) or not open(begun).read():
        time.sleep(0.1)
    pid = int(open(begun).read())
    for n in range(3):
        time.sleep(0.3)
        os.kill(pid, signal.SIGINT)
        while stops == n:
            time.sleep(0.1)
gdb.execute('set pagination off')
threading.Thread(target=interrupt, daemon=True).start()
gdb.execute('run')
while gdb.selected_inferior().pid:
    print('STOPPED')
    gdb.execute('thread apply all backtrace 5')
    stops += 1
    if stops == 3:
        open(os.environ['GOPARK_TEST_END'], 'w').close()
    gdb.execute('continue')
";
    let file = |what| std::env::temp_dir().join(format!("gopark-{}.{what}", std::process::id()));
    let [script_file, begun, end] = ["py", "begun", "end"].map(file);
    fs::write(&script_file, script).unwrap();
    let path = script_file.to_str().unwrap();
    let args = ["-batch", "-nx", "-x", path, "--args", name];
    let text = under_with("gdb", &args, &[(BEGUN, &begun), (END, &end)]);
    [script_file, begun, end].iter().for_each(|file| drop(fs::remove_file(file)));
    assert!(text.contains(RIGHT), "{text}");
    assert!(text.contains("exited normally"), "{text}");
    assert_eq!(text.matches("STOPPED").count(), 3, "{text}");
    assert!(text.contains("gopark-0"), "{text}");
}

/// It stops at each of them, and passes it on.
fn a_tracer_sees_its_signals() {
    let name = "a_tracer_sees_its_signals";
    if inside(name) {
        return preempted_all_the_time();
    }
    if !works("strace", &["-f", "-o", "/dev/null"]) {
        return println!("no tracer works here");
    }
    let text = under("strace", &["-f", "-e", "trace=none", name]);
    assert!(text.contains(RIGHT), "{text}");
    let signals = text.lines().filter(|line| line.contains("--- SIGURG")).count();
    assert!(signals > 100, "only {signals} signals:\n{text}");
    assert!(text.contains("+++ exited with 0 +++"), "{text}");
}

fn a_profiler_samples_it() {
    let name = "a_profiler_samples_it";
    if inside(name) {
        return preempted_all_the_time();
    }
    let record = ["record", "-o", "/dev/null", "-F", "5000", "-g"];
    if !works("perf", &record) {
        return println!("no profiler works here");
    }
    let args = [&record[..], &[name]].concat();
    let text = under("perf", &args);
    assert!(text.contains(RIGHT), "{text}");
}

/// Signal mask, ignored and caught signals, as in the status file of a process.
fn signals(status: &str) -> Vec<&str> {
    let wanted = ["SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:"];
    let lines: Vec<_> =
        status.lines().filter(|line| wanted.iter().any(|w| line.starts_with(w))).collect();
    assert_eq!(lines.len(), wanted.len(), "{status}");
    lines
}

/// What the program would give a child if it had no task.
fn a_child_process_starts_clean() {
    let name = "a_child_process_starts_clean";
    if !inside(name) {
        let short = Child::new(name).env("GOPARK_MAXPROCS", "1").env("GOPARK_SLICE", "1ms");
        return short.run().passed(name);
    }
    let status = || {
        let ended = Command::new("cat").arg("/proc/self/status").output().unwrap();
        assert!(ended.status.success());
        String::from_utf8(ended.stdout).unwrap()
    };
    // No task yet, so no handler and no timer.
    let before = status();
    let hogs: Vec<_> = (0..2)
        .map(|_| {
            gopark::go(|| {
                loop {
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(signals(&status()), signals(&before), "from the main thread");
        let text = gopark::go(status).join().unwrap();
        assert_eq!(signals(&text), signals(&before), "from a task");
    }
    // A computing child is not interrupted: it has no timer of ours.
    let counts = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo $i";
    let computes = || Command::new("sh").args(["-c", counts]).output().unwrap().stdout;
    assert_eq!(gopark::go(computes).join().unwrap(), b"200000\n");
    drop(hogs);
}

/// What the threads of this process have computed, the calling one left out.
fn computed() -> Duration {
    let me = fs::read_link("/proc/thread-self").unwrap();
    let me = me.file_name().unwrap().to_owned();
    let threads = fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap());
    let of = |thread: fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
    };
    Duration::from_nanos(threads.filter(|thread| thread.file_name() != me).map(of).sum())
}

/// In some period of seconds it takes less than a thousandth of a CPU; the first ones
/// may have something left to do.
#[track_caller]
fn takes_no_time() {
    const PERIOD: Duration = Duration::from_secs(2);
    let mut all = Vec::new();
    for _ in 0..5 {
        let (begun, before) = (Instant::now(), computed());
        std::thread::sleep(PERIOD);
        // Less than before: a thread has ended.
        let Some(taken) = computed().checked_sub(before) else { continue };
        let taken = taken.as_secs_f64() / begun.elapsed().as_secs_f64();
        all.push(taken);
        if taken < 0.001 {
            return;
        }
    }
    panic!("it takes {all:?} of a CPU");
}

fn an_idle_process_takes_no_time() {
    let name = "an_idle_process_takes_no_time";
    if !inside(name) {
        return Child::new(name).env("GOPARK_SLICE", "1ms").run().passed(name);
    }
    let hogs: Vec<_> = (0..8)
        .map(|n| {
            gopark::go(move || {
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_millis(100) {
                    black_box(n);
                }
            })
        })
        .collect();
    hogs.into_iter().for_each(|hog| hog.join().unwrap());
    takes_no_time();
}

fn nor_with_parked_and_blocked_tasks() {
    let name = "nor_with_parked_and_blocked_tasks";
    if !inside(name) {
        return Child::new(name).env("GOPARK_SLICE", "1ms").run().passed(name);
    }
    let (tx, rx) = gopark::chan::rendezvous::<()>();
    for n in 0..100 {
        let rx = rx.clone();
        gopark::go(move || match n % 4 {
            0 => std::thread::sleep(Duration::from_secs(3600)),
            1 => gopark::blocking(|| std::thread::sleep(Duration::from_secs(3600))),
            2 => gopark::sleep(Duration::from_secs(3600)),
            _ => drop(rx.recv()),
        });
    }
    takes_no_time();
    drop(tx);
}
