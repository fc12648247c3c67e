//! What parked tasks wait for, and what is known of the other end.
//!
//! A snapshot says where a task waits and why; that is cheap. This says for what:
//! the channel with its handles, the task that is joined, how much a group has still
//! to count down. It holds each task in its park for the microsecond that it takes to
//! look.

use super::{Holder, TaskInfo};
use crate::chan::Side;
use crate::task::record::TaskId;
use crate::task::registry;
use crate::task::subject::{ChannelSketch, Pad, Sketch};
use core::panic::Location;
use std::collections::HashMap;

/// What a parked task waits for: of a select, one of its cases.
///
/// Which lock a task waits for is in [`Wait::lock`](super::Wait::lock). Of the
/// channel that is never ready, of a sleep and of IO there is nothing to be said.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum WaitsFor {
    /// A channel.
    Channel(ChannelEnd),
    /// The end of this task.
    Task(TaskId),
    /// A [`WaitGroup`](crate::sync::WaitGroup), or what counts with one: a group, or the end
    /// of a [`scope`](crate::scope), whose reason is `join`.
    #[non_exhaustive]
    WaitGroup {
        /// What it has still to count down; never zero while somebody waits.
        count: u64,
        /// Who has counted up last, and where.
        counted: Option<Holder>,
    },
    /// A signal of a [`Condvar`](crate::sync::Condvar).
    #[non_exhaustive]
    Condvar {
        /// Who has signalled last, and where: before the wait, or for another waiter.
        signalled: Option<Holder>,
    },
    /// Permits of a [`Semaphore`](crate::sync::Semaphore).
    #[non_exhaustive]
    Semaphore {
        /// How many the task wants.
        wants: usize,
        /// How many are free.
        free: usize,
        /// How many there are.
        size: usize,
        /// Who has taken some last, and where.
        taken: Option<Holder>,
    },
    /// The others at a [`Barrier`](crate::sync::Barrier).
    #[non_exhaustive]
    Barrier {
        /// For how many it is.
        parties: usize,
        /// How many have arrived, the task included.
        arrived: usize,
    },
}

/// A channel that a task waits for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChannelEnd {
    /// Where it is in memory: the same channel if two are equal.
    pub address: usize,
    /// What the task wants to do.
    pub wants_to: Half,
    /// Where the channel was made.
    pub created_at: &'static Location<'static>,
    /// How many values its buffer can hold; 0 for a rendezvous.
    pub capacity: usize,
    /// How many are in it.
    pub len: usize,
    /// Whether a timer sends to it; then it has no senders.
    pub timer: bool,
    /// Whether it is what [`Context::done`](crate::context::Context::done) gives: it was
    /// made with the context, nothing is sent to it, and the context's end closes it.
    pub context: bool,
    /// How many senders are alive.
    pub senders: usize,
    /// How many receivers are alive.
    pub receivers: usize,
    /// The living handles of both kinds by the place that made them, as far as they
    /// were written down: at most eight places.
    pub handles: Vec<Handles>,
}

/// The two halves of a channel, and what they do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Half {
    /// Senders send.
    Send,
    /// Receivers receive.
    Receive,
}

/// Living handles of one half of a channel that were made at one place.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Handles {
    /// Of which half.
    pub half: Half,
    /// The call that made them: of `clone`, or of what made the channel.
    pub created_at: &'static Location<'static>,
    /// How many are alive.
    pub count: usize,
    /// Tasks that used one of them last, those that have ended included. At most
    /// three are kept, and one may be missing whose number was in the way of
    /// another's. Where a handle is cannot be known: the task that used it last may
    /// have given it away.
    pub users: Vec<TaskId>,
}

/// Fills in [`TaskInfo::waits_for`] of tasks that still are in the park that they
/// were seen in; the others' stays as it is.
///
/// Holds each of them for about a microsecond, one after the other: one that is
/// woken in that time goes on afterwards.
///
/// ```
/// use gopark::inspect::{self, Half, Snapshot, WaitsFor};
///
/// let (tx, rx) = gopark::chan::bounded::<u8>(3);
/// let kept = tx.clone();
/// let made = line!() - 2;
/// let task = gopark::go(move || rx.recv());
/// let info = loop {
///     let mut tasks = Snapshot::all().tasks;
///     tasks.retain(|t| t.id == task.id() && t.wait.is_some());
///     inspect::explain(&mut tasks);
///     if let Some(info) = tasks.pop() {
///         break info;
///     }
///     std::thread::yield_now();
/// };
/// let [WaitsFor::Channel(end)] = &*info.waits_for else { panic!("{info:?}") };
/// assert_eq!((end.capacity, end.len, end.senders), (3, 0, 2));
/// let senders = end.handles.iter().filter(|handle| handle.half == Half::Send);
/// let lines: Vec<u32> = senders.map(|handle| handle.created_at.line()).collect();
/// assert_eq!(lines, [made, made + 1]);
/// drop((tx, kept));
/// # assert!(task.join().unwrap().is_err());
/// ```
pub fn explain(tasks: &mut [TaskInfo]) {
    let parked = tasks.iter_mut().filter(|task| task.wait.is_some());
    let mut wanted: HashMap<TaskId, &mut TaskInfo> = parked.map(|task| (task.id, task)).collect();
    if wanted.is_empty() {
        return;
    }
    let mut pad = Pad::new();
    registry::each(|record| {
        let Some((_, id)) = record.observe(|record, _| record.id()) else { return };
        let Some(task) = wanted.get_mut(&id) else { return };
        let seen = pad.look(record, task.stamp);
        if !seen.is_empty() {
            task.waits_for = seen.iter().map(WaitsFor::of).collect();
        }
    });
}

impl WaitsFor {
    fn of(sketch: &Sketch) -> WaitsFor {
        match *sketch {
            Sketch::Channel(channel) => WaitsFor::Channel(ChannelEnd::of(&channel)),
            Sketch::Task(task) => WaitsFor::Task(task),
            Sketch::Group { count, counted } => WaitsFor::WaitGroup { count, counted },
            Sketch::Condition { signalled } => WaitsFor::Condvar { signalled },
            Sketch::Semaphore { wants, free, size, taken } => WaitsFor::Semaphore {
                wants: wants as usize,
                free: free as usize,
                size: size as usize,
                taken,
            },
            Sketch::Barrier { parties, arrived } => {
                WaitsFor::Barrier { parties: parties as usize, arrived: arrived as usize }
            }
        }
    }
}

impl ChannelEnd {
    fn of(sketch: &ChannelSketch) -> ChannelEnd {
        let mut handles: Vec<Handles> = Vec::new();
        for seat in sketch.seats.iter().flatten() {
            let half = Half::of(seat.side);
            let users = seat.users.iter().filter_map(|user| TaskId::new(*user));
            // A generic function has a place for each of its types.
            let same = |it: &&mut Handles| it.half == half && it.created_at == seat.site;
            match handles.iter_mut().find(same) {
                Some(known) => {
                    known.count += seat.count as usize;
                    known.users.extend(users);
                }
                None => handles.push(Handles {
                    half,
                    created_at: seat.site,
                    count: seat.count as usize,
                    users: users.collect(),
                }),
            }
        }
        handles.retain(|it| !sketch.timer || it.half == Half::Receive);
        handles.iter_mut().for_each(|handle| {
            handle.users.sort_unstable();
            handle.users.dedup();
        });
        handles.sort_by_key(|it| (it.half == Half::Receive, it.created_at));
        ChannelEnd {
            address: sketch.address,
            wants_to: Half::of(sketch.side),
            created_at: sketch.made,
            capacity: if sketch.timer { 0 } else { sketch.capacity },
            len: if sketch.timer { 0 } else { sketch.len },
            timer: sketch.timer,
            context: sketch.context,
            senders: if sketch.timer { 0 } else { sketch.senders },
            receivers: sketch.receivers,
            handles,
        }
    }
}

impl Half {
    fn of(side: Side) -> Half {
        match side {
            Side::Send => Half::Send,
            Side::Recv => Half::Receive,
        }
    }
}
