//! OS threads that were started in the scope and are still alive.
//!
//! Where `pthread_create` is wrapped ([`sys`]) the runtime knows which threads belong
//! to the scope, and where each was made. Elsewhere all that is known is which threads
//! there are, so those count that were not there at the beginning, whoever made them.
//!
//! That a thread will not end any more cannot be proven, as anybody in the process may
//! wake it: it may always end, and is waited for until the deadline.
//!
//! Threads of pools that are known are named and do not count: they end when their
//! pool does, or with the process, and their libraries mean them to.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use gopark::{Scope, threads};

use super::{Item, Place, Seen, Source, State};
use crate::sys;

/// Of the functions that led to a thread, so many are shown.
const SHOWN: usize = 6;

/// Whose a thread is that was made inside of a `Once`.
const SHARED: &str = "the whole program";

/// What is said in the place of a stack that names nobody.
const UNKNOWN: &str = "not known, as the functions are inlined and the program has no line tables \
                       (`debug = \"line-tables-only\"` in its profile brings them)";

/// Threads.
#[derive(Debug)]
pub(crate) struct Threads;

impl Source for Threads {
    fn open(&self, scope: &Scope) -> Box<dyn Seen> {
        if sys::wrapped() {
            return Box::new(Told::of(scope.clone()));
        }
        Box::new(Compared { before: threads::strangers() })
    }
}

/// Who was born where is known.
pub(crate) struct Told {
    scope: Scope,
    /// Whose threads the last look left out.
    pools: Vec<&'static str>,
    /// Where those were made that it left out because they serve the whole program.
    shared: Vec<Arc<[usize]>>,
}

impl Told {
    pub(crate) fn of(scope: Scope) -> Told {
        Told { scope, pools: Vec::new(), shared: Vec::new() }
    }
}

impl Seen for Told {
    fn any(&mut self) -> bool {
        threads::count(&self.scope) > 0
    }

    fn look(&mut self) -> Vec<Item> {
        self.pools.clear();
        self.shared.clear();
        let mut items = Vec::new();
        for thread in threads::of(&self.scope) {
            if thread.shared {
                self.shared.push(thread.frames);
                continue;
            }
            let made = Made::by(&thread.frames);
            if let Some(pool) = made.pool
                && (pool != "tokio" || !cfg!(feature = "tokio"))
            {
                self.pools.push(pool);
                continue;
            }
            let item = match thread.id {
                None => Item::new(made.kind, "not yet known", State::MayEnd).does("about to begin"),
                Some(id) => match Doing::of(id) {
                    Some(doing) => described(made.kind, id, &doing),
                    // It may end just now.
                    None => continue,
                },
            };
            let item = made.places.iter().fold(item, |item, place| item.place(place.clone()));
            let item = item.function(made.function.clone());
            let stack = match made.chain.is_empty() {
                true => UNKNOWN.to_owned(),
                false => made.chain.join("\n"),
            };
            let item = item.note("stack", stack);
            items.push(item.why(made.why));
        }
        items
    }

    fn left_out(&mut self) -> Vec<String> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let shared = self.shared.iter().map(|frames| Made::by(frames).pool.unwrap_or(SHARED));
        for pool in self.pools.iter().copied().chain(shared) {
            *counts.entry(pool).or_default() += 1;
        }
        let mut lines: Vec<String> = counts
            .into_iter()
            .map(|(pool, n)| format!("{n} {} of {pool}", if n == 1 { "thread" } else { "threads" }))
            .collect();
        lines.sort();
        lines
    }
}

/// Only the list of threads is known, from before the body.
struct Compared {
    before: Vec<(u32, u64)>,
}

impl Seen for Compared {
    fn look(&mut self) -> Vec<Item> {
        let mut now = threads::strangers();
        now.retain(|key| !self.before.contains(key));
        let alive = now.iter().filter_map(|(id, _)| Some((*id, Doing::of(*id)?)));
        alive
            .filter(|(_, doing)| pool_by_name(&doing.name).is_none())
            .map(|(id, doing)| {
                described("thread", id, &doing).why(
                    "was not there when the test began; who made it is not known here, \
                     so it may be another test's",
                )
            })
            .collect()
    }
}

fn described(kind: &str, id: u32, doing: &Doing) -> Item {
    let item = Item::new(kind, id.to_string(), State::MayEnd).does(doing.what.clone());
    item.name(doing.name.clone())
}

/// What the kernel says of a thread.
struct Doing {
    name: String,
    what: String,
}

impl Doing {
    /// `None` when it has ended.
    fn of(id: u32) -> Option<Doing> {
        let read = |file: &str| fs::read_to_string(format!("/proc/self/task/{id}/{file}"));
        let stat = read("stat").ok()?;
        // The name stands in parentheses and may hold anything.
        let (head, rest) = stat.rsplit_once(") ")?;
        let name = head.split_once('(')?.1.to_owned();
        let state = rest.chars().next()?;
        let what = match state {
            'Z' | 'X' => return None,
            'R' => "still running".to_owned(),
            'T' | 't' => "stopped".to_owned(),
            _ => match read("syscall").ok().and_then(|line| call(&line)) {
                Some(call) => format!("blocked in `{call}`"),
                None => match read("wchan").ok().filter(|place| place.len() > 1) {
                    Some(place) => format!("blocked in the kernel's `{place}`"),
                    None => "blocked in a system call".to_owned(),
                },
            },
        };
        Some(Doing { name, what })
    }
}

/// The name of the call in `/proc/self/task/N/syscall`.
fn call(line: &str) -> Option<String> {
    let number: i64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    let known = [
        (libc::SYS_futex, "futex"),
        (libc::SYS_read, "read"),
        (libc::SYS_write, "write"),
        (libc::SYS_ppoll, "poll"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_poll, "poll"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_select, "select"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_epoll_wait, "epoll_wait"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_pause, "pause"),
        (libc::SYS_pselect6, "select"),
        (libc::SYS_epoll_pwait, "epoll_wait"),
        (libc::SYS_nanosleep, "nanosleep"),
        (libc::SYS_clock_nanosleep, "nanosleep"),
        (libc::SYS_accept, "accept"),
        (libc::SYS_accept4, "accept"),
        (libc::SYS_connect, "connect"),
        (libc::SYS_recvfrom, "recv"),
        (libc::SYS_recvmsg, "recvmsg"),
        (libc::SYS_sendto, "send"),
        (libc::SYS_wait4, "wait4"),
        (libc::SYS_waitid, "waitid"),
        (libc::SYS_rt_sigtimedwait, "sigtimedwait"),
        (libc::SYS_flock, "flock"),
        (libc::SYS_fsync, "fsync"),
    ];
    let name = known.iter().find(|(known, _)| *known == number).map(|(_, name)| *name);
    Some(name.map_or_else(|| format!("system call {number}"), str::to_owned))
}

/// Where a thread was made, in words.
#[derive(Debug)]
pub(crate) struct Made {
    /// What it is called.
    kind: &'static str,
    /// Why it is there.
    why: &'static str,
    /// The library whose pool it belongs to.
    pub(crate) pool: Option<&'static str>,
    /// The function that made it, std left aside.
    function: String,
    places: Vec<Place>,
    /// That function and its callers, up to where the test begins.
    chain: Vec<String>,
}

impl Made {
    /// Reads the program's debug information, once for each place: some tenths of a
    /// second for the first one.
    pub(crate) fn by(frames: &Arc<[usize]>) -> Arc<Made> {
        type Known = HashMap<Arc<[usize]>, Arc<Made>>;
        static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_default();
        Arc::clone(known.entry(Arc::clone(frames)).or_insert_with(|| Arc::new(Made::read(frames))))
    }

    fn read(frames: &[usize]) -> Made {
        let mut made = Made {
            kind: "thread",
            why: "did not end in the time that the check waited",
            pool: None,
            function: String::new(),
            places: Vec::new(),
            chain: Vec::new(),
        };
        let mut all: Vec<Frame> = Vec::new();
        for frame in frames {
            // A return address may belong to the next line, or function.
            let address = std::ptr::without_provenance_mut(frame.saturating_sub(1));
            backtrace::resolve(address, |symbol| {
                let Some(name) = symbol.name() else { return };
                let file = symbol.filename().map(|path| within_workspace(&path.to_string_lossy()));
                let place = file.zip(symbol.lineno());
                let place = place.map(|(file, line)| (file, line, symbol.colno().unwrap_or(1)));
                all.push((format!("{name:#}"), place));
            });
        }
        // What called the test, or the thread, is no maker. Optimised, the test itself may
        // have no frame of its own: then nobody is known.
        let begins = all.iter().position(|(name, _)| name.contains(BEGIN));
        let mut chain = &all[..begins.unwrap_or(all.len())];
        skip(&mut chain, is_std);
        made.pool = chain.first().and_then(|(name, _)| pool_by_function(name));
        if made.pool.is_some() {
            skip(&mut chain, |name| is_std(name) || pool_by_function(name).is_some());
        }
        if made.pool == Some("tokio") {
            // A thread that was made for a worker may go on as one for a blocking closure.
            made.kind = "tokio thread";
            made.why = "its `Runtime` was not dropped, or did not wait for a closure of \
                        `spawn_blocking`";
        }
        if let Some(end) = chain.iter().position(|(name, _)| is_harness(name)) {
            chain = &chain[..end];
        }
        if let Some((function, place)) = chain.first() {
            made.function = function.trim_end_matches("::{{closure}}").to_owned();
            if let Some((file, line, column)) = place.clone() {
                let says = format!("made here, by {}", made.function);
                made.places.push(Place { file, line, column, says });
            }
        }
        for (function, place) in chain.iter().take(SHOWN) {
            made.chain.push(match place {
                Some((file, line, _)) => format!("{function} at {file}:{line}"),
                None => function.clone(),
            });
        }
        if chain.len() > SHOWN {
            made.chain.push("…".to_owned());
        }
        made
    }
}

/// A function, and the file, line and column that it has reached.
type Frame = (String, Option<(String, u32, u32)>);

/// Moves on to the first frame whose function is not one of those.
fn skip(frames: &mut &[Frame], those: impl Fn(&str) -> bool) {
    let end = frames.iter().position(|(name, _)| !those(name)).unwrap_or(frames.len());
    *frames = &frames[end..];
}

/// The path as the compiler was given it, for what belongs to the workspace.
fn within_workspace(path: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let root = here.ancestors().find(|folder| folder.join("Cargo.lock").is_file());
    let short = root.and_then(|root| std::path::Path::new(path).strip_prefix(root).ok());
    short.map_or_else(|| path.to_owned(), |short| short.display().to_string())
}

/// Functions between the one that wants a thread and the kernel.
fn is_std(function: &str) -> bool {
    let path = function.trim_start_matches(['<', '&']);
    let inside = ["std::", "core::", "alloc::", "leakcheck::sys", "backtrace::"];
    inside.iter().any(|prefix| path.starts_with(prefix))
        || matches!(function, "leakcheck_pthread_create" | "pthread_create")
        || path.starts_with("gopark::task::threads")
}

/// What std and libtest call a thread's or a test's function by.
const BEGIN: &str = "__rust_begin_short_backtrace";

/// Functions that call a test.
fn is_harness(function: &str) -> bool {
    function.starts_with("leakcheck::case")
        || function.starts_with("core::ops::function::FnOnce::call_once")
        || function.starts_with("test::")
}

fn pool_by_function(function: &str) -> Option<&'static str> {
    let path = function.trim_start_matches(['<', '&']);
    let known = [
        ("rayon_core::", "rayon"),
        ("tokio::runtime::", "tokio"),
        ("test::", "libtest"),
        ("libtest_mimic::", "libtest-mimic"),
    ];
    known.iter().find(|(prefix, _)| path.starts_with(prefix)).map(|(_, pool)| *pool)
}

fn pool_by_name(name: &str) -> Option<&'static str> {
    name.starts_with("tokio-r").then_some("tokio")
}
