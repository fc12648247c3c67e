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
use crate::callers::{self, Caller};
use crate::sys;

/// Of the functions that led to a thread, so many are shown.
const SHOWN: usize = 6;

/// Whose a thread is that was made inside of a `Once`.
const SHARED: &str = "the whole program";

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
                true => callers::UNKNOWN.to_owned(),
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
        let all = callers::of_addresses(frames);
        let mut chain = callers::of_program(&all);
        // A pool's own functions may be taken for the harness.
        let first = callers::skip(&all, Caller::is_std).first();
        made.pool = first.and_then(|caller| caller.pool);
        if made.pool.is_some() {
            let rest = callers::skip(&all, |it| it.is_std() || it.pool.is_some());
            chain = callers::of_program(rest);
        }
        if made.pool == Some("tokio") {
            // A thread that was made for a worker may go on as one for a blocking closure.
            made.kind = "tokio thread";
            made.why = "its `Runtime` was not dropped, or did not wait for a closure of \
                        `spawn_blocking`";
        }
        if let Some(Caller { function, place, .. }) = chain.first() {
            made.function = gopark::__names::without_closures(function).to_owned();
            if let Some((file, line, column)) = place.clone() {
                let says = format!("made here, by {}", made.function);
                made.places.push(Place { file, line, column, says });
            }
        }
        made.chain = chain.iter().take(SHOWN).map(Caller::text).collect();
        if chain.len() > SHOWN {
            made.chain.push("…".to_owned());
        }
        made
    }
}

fn pool_by_name(name: &str) -> Option<&'static str> {
    name.starts_with("tokio-r").then_some("tokio")
}
