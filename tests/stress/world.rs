//! What all actors of a round share.

use crate::fail;
use crate::ledger::{Ledger, Token};
use gopark::chan::{self, Receiver, Sender};
use gopark::context::{Cancel, Context};
use gopark::sync::{Barrier, Condvar, Mutex, OnceCell, RwLock, Semaphore, WaitGroup};
use gopark::{Scope, chan::Case};
use gopark_tests::Patience;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

pub(crate) const PERMITS: u32 = 3;
/// What the queue behind the condition holds.
pub(crate) const PLACES: usize = 4;

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// A channel, until it is closed and another one takes its place.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) number: u32,
    /// Nobody gives a wait up in it who may have been served: so values come in the
    /// order in which they were sent.
    pub(crate) in_order: bool,
    pub(crate) tx: Sender<Token>,
    pub(crate) rx: Receiver<Token>,
}

/// Two numbers that are equal unless somebody is inside.
#[derive(Default)]
pub(crate) struct Twins {
    one: u64,
    other: u64,
}

/// Somebody is inside; made whole again by an unwind, too.
pub(crate) struct Inside<'a>(&'a mut Twins);

impl Twins {
    pub(crate) fn enter(&mut self) -> Inside<'_> {
        if self.one != self.other {
            fail("two are inside of a lock");
        }
        self.one += 1;
        Inside(self)
    }

    pub(crate) fn look(&self) -> u64 {
        if self.one != self.other {
            fail("a reader sees what a writer has not finished");
        }
        self.one
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.other += 1;
        if self.0.one != self.0.other {
            fail("somebody came into a lock that was held");
        }
    }
}

/// A scope to be reaped, and who waits for that.
pub(crate) type Job = (Scope, Sender<usize>);

pub(crate) struct World {
    pub(crate) ledger: Arc<Ledger>,
    /// Operations begun.
    pub(crate) ops: AtomicU64,
    pub(crate) budget: u64,
    closing: AtomicBool,
    makers: AtomicU32,
    pub(crate) lines: Vec<RwLock<Line>>,
    /// Channels that were closed and replaced.
    graves: Mutex<Vec<Line>>,
    pub(crate) context: Context,
    cancel: Cancel,
    pub(crate) lock: Mutex<Twins>,
    pub(crate) shared: RwLock<Twins>,
    pub(crate) queue: Mutex<VecDeque<Token>>,
    pub(crate) filled: Condvar,
    pub(crate) freed: Condvar,
    pub(crate) permits: Semaphore,
    pub(crate) inside: AtomicU32,
    pub(crate) barrier: Barrier,
    pub(crate) cells: [OnceCell<u64>; 3],
    pub(crate) values: [AtomicU64; 3],
    pub(crate) group: WaitGroup,
    pub(crate) jobs: Sender<Job>,
    pub(crate) reaped: AtomicU64,
    scopes: Mutex<Vec<Scope>>,
}

impl World {
    pub(crate) fn new(capacities: &[usize], budget: u64) -> (Arc<World>, Receiver<Job>) {
        let (jobs, orders) = chan::bounded(4);
        let (context, cancel) = Context::background().with_cancel();
        let world = World {
            ledger: Ledger::new(),
            ops: AtomicU64::new(0),
            budget,
            closing: AtomicBool::new(false),
            makers: AtomicU32::new(capacities.len() as u32),
            lines: Vec::new(),
            graves: Mutex::default(),
            context,
            cancel,
            lock: Mutex::default(),
            shared: RwLock::default(),
            queue: Mutex::default(),
            filled: Condvar::new(),
            freed: Condvar::new(),
            permits: Semaphore::new(PERMITS as usize),
            inside: AtomicU32::new(0),
            barrier: Barrier::new(3),
            cells: Default::default(),
            values: Default::default(),
            group: WaitGroup::new(),
            jobs,
            reaped: AtomicU64::new(0),
            scopes: Mutex::default(),
        };
        let lines = capacities.iter().enumerate();
        let lines =
            lines.map(|(n, capacity)| RwLock::new(world.line(*capacity, n.is_multiple_of(2))));
        let lines = lines.collect();
        (Arc::new(World { lines, ..world }), orders)
    }

    /// A number for whoever makes values, or for a channel.
    pub(crate) fn number(&self) -> u32 {
        self.makers.fetch_add(1, Ordering::Relaxed)
    }

    fn line(&self, capacity: usize, in_order: bool) -> Line {
        let (tx, rx) = chan::bounded(capacity);
        Line { number: self.number(), in_order, tx, rx }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Whether there is something left to do.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_closing() && self.ops.load(Ordering::Relaxed) < self.budget
    }

    /// Puts another channel into the place of that one, and closes it.
    pub(crate) fn renew(&self, at: usize, capacity: usize) {
        let new = self.line(capacity, at.is_multiple_of(2));
        let mut graves = self.graves.lock();
        // Wholly before close(), or not at all.
        if self.is_closing() {
            return;
        }
        let mut place = self.lines[at].write();
        let old = std::mem::replace(&mut *place, new);
        // What is left in it is found there, whatever happens to this task.
        graves.push(old.clone());
        drop(place);
        drop(graves);
        old.tx.close();
    }

    pub(crate) fn remember(&self, scope: &Scope) {
        self.scopes.lock().push(scope.clone());
    }

    /// Lets everybody go who waits for what others do.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.cancel.cancel();
        let graves = self.graves.lock();
        for line in &self.lines {
            line.read().tx.close();
        }
        for line in &*graves {
            line.tx.close();
        }
        drop(graves);
        let queue = self.queue.lock();
        self.filled.notify_all();
        self.freed.notify_all();
        drop(queue);
    }

    /// When nobody is left: takes out what is in the channels, and looks whether
    /// everything is as it was in the beginning. How many values were received.
    pub(crate) fn settle(&self) -> u64 {
        for scope in &*self.scopes.lock() {
            let mut patience = Patience::new(LIMIT);
            while scope.live() != 0 {
                if patience.is_over() {
                    fail("tasks of a scope within the scope do not end");
                }
                std::thread::yield_now();
            }
        }
        let mut lines: Vec<_> = self.lines.iter().map(|line| line.read().clone()).collect();
        lines.append(&mut self.graves.lock());
        for line in lines {
            while let Ok(token) = line.rx.try_recv() {
                token.got();
            }
            if !line.rx.is_closed() {
                fail("a channel was left open");
            }
        }
        let left: Vec<_> = self.queue.lock().drain(..).collect();
        left.into_iter().for_each(Token::got);
        let free = |what, free: bool| {
            if !free {
                fail(&format!("{what} has somebody inside although nobody is left"));
            }
        };
        free("the mutex", self.lock.try_lock().map(|twins| twins.look()).is_some());
        free("the lock", self.shared.try_write().map(|twins| twins.look()).is_some());
        free("the semaphore", self.permits.available() == PERMITS as usize);
        free("the permits' count", self.inside.load(Ordering::Relaxed) == 0);
        let mut wait = self.group.case();
        let zero = chan::try_select(&mut [&mut wait as &mut dyn Case]) == Some(0);
        free("the wait group", zero);
        for (cell, value) in self.cells.iter().zip(&self.values) {
            let value = value.load(Ordering::Relaxed);
            if value != 0 && cell.get() != Some(&value) {
                fail("a cell has another value than it had");
            }
        }
        self.ledger.settle()
    }
}
