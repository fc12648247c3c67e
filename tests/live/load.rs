//! A program that has all to do, and is looked at all the time: by a signal that has all
//! tasks written to stderr every ten milliseconds, over HTTP, and by a browser that has the
//! live page open, if there is one. `GOPARK_TEST_SECONDS` says for how long.

use crate::browser::{Reader, chromium};
use crate::child::{Child, here, inside};
use crate::client::get;
use crate::grammar;
use gopark::sync::Mutex;
use gopark::{JoinHandle, chan, debug, stack};
use std::hint::black_box;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

const SIGNAL: i32 = libc::SIGUSR1;
const EVERY: Duration = Duration::from_millis(10);

fn time() -> Duration {
    let seconds = std::env::var("GOPARK_TEST_SECONDS").ok();
    Duration::from_secs(seconds.map_or(1, |text| text.parse().expect("a number of seconds")))
}

/// What goes on, and how often each part of it did.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    done: [AtomicU64; PARTS.len()],
}

type Part = fn(&Load, &AtomicU64);
const PARTS: [Part; 6] = [pairs, locks, children, deep, computing, sleepers];

impl Load {
    fn goes_on(&self, done: &AtomicU64) -> bool {
        done.fetch_add(1, Ordering::Relaxed);
        !self.stop.load(Ordering::Relaxed)
    }
}

fn pairs(load: &Load, done: &AtomicU64) {
    let (there, inbox) = chan::rendezvous();
    let (reply, back) = chan::bounded(1);
    let echo = gopark::go(move || {
        for value in inbox {
            reply.send(value).unwrap();
        }
    });
    while load.goes_on(done) {
        there.send(7).unwrap();
        assert_eq!(back.recv(), Ok(7));
    }
    drop(there);
    echo.join().unwrap();
}

static LOCK: Mutex<u64> = Mutex::new(0);

fn locks(load: &Load, done: &AtomicU64) {
    while load.goes_on(done) {
        *LOCK.lock() += 1;
        if done.load(Ordering::Relaxed).is_multiple_of(64) {
            gopark::yield_now();
        }
    }
}

fn children(load: &Load, done: &AtomicU64) {
    while load.goes_on(done) {
        let child = gopark::Builder::new().name("child").label("of", "children");
        child.go(|| black_box(vec![0_u8; 100])).unwrap().join().unwrap();
    }
}

fn deep(load: &Load, done: &AtomicU64) {
    #[inline(never)]
    fn down(depth: usize) -> usize {
        match depth {
            0 => {
                gopark::yield_now();
                1
            }
            // Twice it goes on elsewhere.
            _ if depth.is_multiple_of(16) => stack::grow(256 << 10, || down(depth - 1) + 1),
            _ => black_box(down(depth - 1)) + 1,
        }
    }
    while load.goes_on(done) {
        assert_eq!(down(40), 41);
    }
}

fn computing(load: &Load, done: &AtomicU64) {
    while load.goes_on(done) {
        black_box((0..100_000_u64).fold(1, |a, b| black_box(a ^ b)));
    }
}

fn sleepers(load: &Load, done: &AtomicU64) {
    while load.goes_on(done) {
        gopark::sleep(Duration::from_millis(1));
    }
}

fn is_looked_at() {
    let load: Arc<Load> = Arc::default();
    let endpoint = debug::serve("127.0.0.1:0").unwrap();
    let address = endpoint.local_addr();
    let tasks: Vec<JoinHandle<()>> = (0..2 * PARTS.len())
        .map(|n| {
            let load = load.clone();
            gopark::go(move || PARTS[n % PARTS.len()](&load, &load.done[n % PARTS.len()]))
        })
        .collect();
    let (ends, end) = mpsc::channel::<()>();
    let signals = std::thread::spawn(move || {
        while end.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
            // SAFETY: sends this process a signal that it has a handler for.
            unsafe { libc::kill(libc::getpid(), SIGNAL) };
        }
    });
    // It is open before the time begins.
    let browser = chromium().map(|program| Browser::open(program, address));
    let (begun, time) = (Instant::now(), time());
    while begun.elapsed() < time || load.done.iter().any(|done| done.load(Ordering::Relaxed) < 2) {
        let dump = get(address, "/debug/pprof/goroutine?debug=2");
        let text = dump.text();
        grammar::parse(text).unwrap_or_else(|why| panic!("{why}\n{text}"));
        let json = get(address, "/debug/tasks.json");
        serde_json::from_str::<serde_json::Value>(json.text()).unwrap();
        looks_as_the_page_does(address);
    }
    browser.into_iter().for_each(Browser::end);
    drop(ends);
    signals.join().unwrap();
    load.stop.store(true, Ordering::Relaxed);
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

/// One with the live page open, and a task that stays; a thread has it that the signal
/// does not interrupt.
struct Browser {
    end: Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Browser {
    fn open(program: PathBuf, address: SocketAddr) -> Browser {
        let (end, ends) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            not_interrupted();
            let page = Reader::open(program, &format!("http://{address}/debug/tasks"));
            page.value(COUNT_TROUBLES);
            page.press(&["/"]);
            page.types("load::pairs");
            page.until("document.querySelector('#list button') != null");
            page.value("document.querySelector('#list button').click()");
            page.shows("#detail dl", "load::pairs");
            tell.send(()).unwrap();
            // Nothing is sent: the other half is dropped.
            let _ = ends.recv();
            let looks = page.value("Number(document.body.dataset.looks)").as_u64().unwrap();
            page.until(&format!("Number(document.body.dataset.looks) > {looks}"));
            println!("the page has looked {} times", looks + 1);
            assert_eq!(page.value("troubles"), serde_json::json!([]));
            page.shows("#one-title", "Task");
            page.has_no_complaints();
        });
        // A thread that has panicked tells nothing, and says why when it is joined.
        let _ = told.recv();
        Browser { end, thread }
    }

    fn end(self) {
        drop(self.end);
        self.thread.join().expect("the page is whole");
    }
}

/// What the page says is wrong, also if the next look is well.
const COUNT_TROUBLES: &str = "
    window.troubles = [];
    const box = document.getElementById('trouble');
    new MutationObserver(() => { if (!box.hidden) troubles.push(box.textContent); })
        .observe(box, { attributes: true });
    null";

/// Who reads with a limit is interrupted by each signal that is handled, `SA_RESTART` or not.
fn not_interrupted() {
    // SAFETY: all zeros are a set of signals, and both calls are given one that lives.
    let failed = unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, SIGNAL);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut())
    };
    assert_eq!(failed, 0);
}

/// The life of all, the tasks of the largest group, one of them.
fn looks_as_the_page_does(address: SocketAddr) {
    let json = |path: &str| {
        let answer = get(address, path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        serde_json::from_str::<serde_json::Value>(answer.text()).unwrap()
    };
    let state = json("/debug/live.json?minutes=0");
    let group = state["groups"][0]["key"].as_str().expect("there are tasks");
    // All of it may do something else by now, or have ended.
    let tasks = json(&format!("/debug/tasks.json?group={group}&frames=0&limit=201"));
    if let Some(task) = tasks.as_array().expect("a list").last() {
        let one = get(address, &format!("/debug/task.json?id={}", task["id"]));
        assert!(matches!(one.status, 200 | 404), "{}", one.text());
        if one.status == 200 {
            let one: serde_json::Value = serde_json::from_str(one.text()).unwrap();
            assert_eq!(one["task"]["id"], task["id"]);
        }
    }
}

/// Each has its heading before it and an empty line behind it. The last one is left out:
/// the program may have come to its end before that was written.
fn dumps(text: &str) -> Vec<&str> {
    let mut dumps: Vec<&str> = text.split("dump signal\n\n").skip(1).collect();
    dumps.pop();
    dumps
        .into_iter()
        .map(|dump| {
            assert!(dump.ends_with("\n\n"), "no empty line behind it: {dump}");
            &dump[..dump.len() - 1]
        })
        .collect()
}

#[test]
fn nothing_is_torn() {
    if inside(here!()) {
        return is_looked_at();
    }
    let settings = format!("dumpsignal={SIGNAL},watchdog=0");
    let ended = Child::new(here!()).env("GOPARK_DEBUG", settings).run();
    let stderr = ended.stderr.clone();
    ended.passed(here!());
    print!("{}", ended.stdout);
    let dumps = dumps(&stderr);
    // Signals that come while one is being written are one.
    assert!(dumps.len() >= 2, "{stderr}");
    for dump in &dumps {
        grammar::parse(dump).unwrap_or_else(|why| panic!("{why}\n{dump}"));
    }
}
