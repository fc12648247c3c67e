//! What a person is told, as a structure; [`text`] writes it down.
//!
//! Equal tasks are one group: the same state, reason, wait site, entry
//! function and creation site. Ten thousand equal leaks are one block.

mod annotations;
mod body;
mod colour;
mod cycle;
mod ends;
mod found;
mod json;
mod locks;
mod made;
mod output;
mod text;
mod value;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::panic::Location;
use std::time::Duration;

use gopark::inspect::{Status, TaskInfo, WaitReason, add_frames};
use gopark::{Reaped, Scope, TaskId, UnseenPanic};

use crate::Filter;
use crate::cycle::Cycle;
use crate::scope::Remains;
use crate::source::Found;
use colour::Styles;
use ends::People;

pub(crate) use output::record_leak;

/// A larger group is dumped by its first task only.
const DUMPED_WHOLE: usize = 10;

/// Whose tasks the report is about.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// A test, by the name that its harness prints.
    Test(String),
    /// Any other scope, by its name.
    Scope(String),
    /// What was born in no scope.
    Root,
}

impl Subject {
    pub(crate) fn name(&self) -> &str {
        match self {
            Subject::Test(name) | Subject::Scope(name) => name,
            Subject::Root => "root",
        }
    }
}

/// Everything that a report says.
#[derive(Debug)]
pub(crate) struct Report {
    subject: Subject,
    /// The leaked tasks, by number.
    tasks: Vec<TaskInfo>,
    groups: Vec<Group>,
    /// Indices of those that are dumped, with their frames.
    dumped: Vec<usize>,
    panics: Vec<UnseenPanic>,
    /// What is no task.
    found: Option<Found>,
    wakers: Wakers,
    /// Nothing could wake the tasks; else the time was up.
    proven: bool,
    after: Duration,
    people: People,
    /// The test itself, if it did not come to its end.
    body: Option<Ending>,
    cycles: Vec<Cycle>,
    /// All that wait for a lock that somebody in a cycle has.
    doomed: HashSet<TaskId>,
    /// Tasks that the verdict did not wait for.
    others: usize,
    /// Rules of the check that have left nothing out, although there was something.
    idle: Vec<String>,
}

/// What became of a test that did not come to its end by itself.
#[derive(Debug)]
pub(crate) enum Ending {
    /// It never would have, and was unwound.
    Unwound(Box<TaskInfo>),
    /// It may yet, and has not moved for so long.
    LeftAlone(Box<TaskInfo>, Duration),
}

impl Ending {
    fn info(&self) -> &TaskInfo {
        let (Ending::Unwound(info) | Ending::LeftAlone(info, _)) = self;
        info
    }
}

/// Equal tasks.
#[derive(Debug)]
struct Group {
    state: State,
    wait_site: Option<&'static Location<'static>>,
    created_at: &'static Location<'static>,
    /// Indices into the report's tasks; not empty.
    members: Vec<usize>,
}

/// What a leaked task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    /// Parked until somebody else does something.
    Blocked(WaitReason),
    /// Parked, and a timer will end it.
    Timed(WaitReason),
    /// Parked on something that is neither.
    Parked(WaitReason),
    Running,
    /// Ready to run, without a processor.
    Ready,
    /// In a blocking call.
    Syscall,
}

/// What might still wake a task of the scope.
#[derive(Debug, Default)]
struct Wakers {
    /// Tasks of the scope that run, or are about to.
    running: usize,
    /// Tasks of the scope that a timer will wake.
    timed: usize,
    /// Tasks of the scope that wait for something that is no task's doing.
    other: usize,
    /// Tasks and adopted threads that belong to no test, or to one that shares
    /// a primitive with this one.
    outside: usize,
    /// Timers that will send something or start a task.
    timers: usize,
    /// OS threads that the runtime does not know, by name.
    foreign: Vec<String>,
}

impl Report {
    pub(crate) fn new(
        subject: Subject,
        remains: Option<Remains>,
        panics: Vec<UnseenPanic>,
    ) -> Report {
        let mut report = Report {
            subject,
            tasks: Vec::new(),
            groups: Vec::new(),
            dumped: Vec::new(),
            panics,
            found: None,
            wakers: Wakers::default(),
            proven: false,
            after: Duration::ZERO,
            people: People::default(),
            body: None,
            cycles: Vec::new(),
            doomed: HashSet::new(),
            others: 0,
            idle: Vec::new(),
        };
        if let Some(remains) = remains {
            report.wakers = Wakers::of(&remains);
            report.proven = remains.proven;
            report.after = remains.after;
            report.cycles = remains.cycles;
            report.doomed = remains.doomed;
            report.others = remains.others;
            report.tasks = remains.leaked;
            report.groups = group(&report.tasks);
            report.dumped = dumped(&report.groups);
            add_frames_to(&mut report.tasks, &report.dumped);
        }
        // Else nobody need have started the runtime.
        if !report.tasks.is_empty() || !report.panics.is_empty() {
            report.people = People::new(&report.groups, &report.tasks, &report.panics);
        }
        report
    }

    /// The same, and what sources have found.
    pub(crate) fn and(mut self, found: Option<Found>) -> Report {
        self.found = found;
        self
    }

    /// The same, of a check with this filter.
    pub(crate) fn filtered_by(mut self, filter: &Filter) -> Report {
        if !self.tasks.is_empty() || self.found.is_some() {
            self.idle = filter.idle();
        }
        self
    }

    /// The report is about a test that is not over.
    pub(crate) fn of_body(mut self, body: Ending) -> Report {
        self.people.me = Some(body.info().id);
        self.body = Some(body);
        self
    }

    /// The test itself, if it did not come to its end.
    fn body(&self) -> Option<&TaskInfo> {
        self.body.as_ref().map(Ending::info)
    }

    /// All whom it is about.
    fn all(&self) -> impl Iterator<Item = &TaskInfo> {
        self.body().into_iter().chain(&self.tasks)
    }

    pub(crate) fn tasks(&self) -> &[TaskInfo] {
        &self.tasks
    }

    /// Says it to the machines that the environment names.
    pub(crate) fn tell_machines(&self) {
        output::tell_machines(self);
    }

    /// Says it to a person, and to the machines that the environment names.
    pub(crate) fn publish(&self) {
        output::publish(self);
    }

    /// One line: how much of what, and whose.
    pub(crate) fn headline(&self) -> impl fmt::Display {
        text::Headline(self)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(f, self, &Styles::PLAIN)
    }
}

/// Largest group first, then the one with the oldest task.
fn group(tasks: &[TaskInfo]) -> Vec<Group> {
    let mut places = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for (index, task) in tasks.iter().enumerate() {
        let state = State::of(task);
        let wait_site = task.wait.as_ref().map(|wait| wait.site).or(task.call);
        let key = (state, wait_site, task.entry, task.created_at);
        let place = *places.entry(key).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Group {
                state,
                wait_site,
                created_at: task.created_at,
                members: Vec::new(),
            });
        }
        groups[place].members.push(index);
    }
    groups.sort_by_key(|group| (std::cmp::Reverse(group.members.len()), group.members[0]));
    groups
}

/// Of a large group the first task.
fn dumped(groups: &[Group]) -> Vec<usize> {
    let shown = |group: &Group| if group.members.len() > DUMPED_WHOLE { 1 } else { usize::MAX };
    let members = groups.iter().flat_map(|group| group.members.iter().take(shown(group)));
    let mut dumped: Vec<usize> = members.copied().collect();
    dumped.sort_unstable();
    dumped
}

/// As long as the tasks are there. Ten thousand equal leaks have ten thousand equal stacks.
fn add_frames_to(tasks: &mut [TaskInfo], dumped: &[usize]) {
    let wanted = |index: &usize| tasks[*index].trace.is_none();
    let dumped: Vec<usize> = dumped.iter().copied().filter(wanted).collect();
    let mut shown: Vec<TaskInfo> = dumped.iter().map(|&index| tasks[index].clone()).collect();
    add_frames(&mut shown);
    for (index, shown) in dumped.into_iter().zip(shown) {
        tasks[index].trace = shown.trace;
    }
}

impl State {
    fn of(task: &TaskInfo) -> State {
        match &task.wait {
            Some(wait) if wait.timed => State::Timed(wait.reason),
            Some(wait) if wait.reason.durable() => State::Blocked(wait.reason),
            Some(wait) => State::Parked(wait.reason),
            None => match task.status {
                Status::Runnable | Status::Preempted => State::Ready,
                Status::Syscall => State::Syscall,
                _ => State::Running,
            },
        }
    }
}

impl Wakers {
    fn of(remains: &Remains) -> Wakers {
        let mut wakers = Wakers {
            outside: remains.outside,
            timers: remains.timers,
            foreign: remains.foreign.iter().map(|tid| thread_name(*tid)).collect(),
            ..Wakers::default()
        };
        for task in remains.leaked.iter().chain(&remains.left_out) {
            match State::of(task) {
                State::Blocked(_) => {}
                State::Timed(_) => wakers.timed += 1,
                State::Parked(_) => wakers.other += 1,
                State::Running | State::Ready | State::Syscall => wakers.running += 1,
            }
        }
        wakers
    }

    fn none(&self) -> bool {
        self.running == 0
            && self.timed == 0
            && self.other == 0
            && self.outside == 0
            && self.timers == 0
            && self.foreign.is_empty()
    }
}

/// A thread's name as the kernel knows it, else its number.
fn thread_name(tid: u32) -> String {
    match std::fs::read_to_string(format!("/proc/self/task/{tid}/comm")) {
        Ok(name) => name.trim_end().to_owned(),
        Err(_) => format!("thread {tid}"),
    }
}

/// Tasks that a check found alive: the error of [`find`](crate::find).
///
/// Its `Display` is the whole report, so `find(…).unwrap()` shows it too.
///
/// ```
/// use gopark::{Scope, chan, go};
/// use leakcheck::{Filter, find};
///
/// let scope = Scope::new("example");
/// let _in = scope.enter();
/// let (tx, _rx) = chan::rendezvous();
/// go(move || tx.send(1));
///
/// let leaks = find(&Filter::new()).unwrap_err();
/// assert_eq!(leaks.len(), 1);
/// assert_eq!(leaks.tasks()[0].wait.as_ref().unwrap().reason.as_str(), "chan send");
/// assert!(leaks.to_string().contains("blocked in `chan send`"));
///
/// let reaped = leaks.reap();
/// assert_eq!((reaped.ended, scope.live()), (1, 0));
/// ```
#[must_use = "leaked tasks should be reported"]
pub struct Leaks {
    found: Box<(Report, Scope, Filter)>,
}

impl Leaks {
    pub(crate) fn new(report: Report, scope: Scope, filter: Filter) -> Leaks {
        Leaks { found: Box::new((report, scope, filter)) }
    }

    /// How many tasks were found; never zero.
    #[expect(clippy::len_without_is_empty, reason = "there is no empty value of this type")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks().len()
    }

    /// The tasks as they were at the verdict, by number.
    #[must_use]
    pub fn tasks(&self) -> &[TaskInfo] {
        self.found.0.tasks()
    }

    /// Ends all tasks of the scope by unwinding them, so that their destructors
    /// run; not daemons, nor what the check has left out. Blocks the calling thread until each has ended or was given up: one
    /// that computes, or that does not end when unwound, is *abandoned* and
    /// keeps its stack.
    pub fn reap(self) -> Reaped {
        let (_, scope, filter) = *self.found;
        crate::reap::reap(&scope, &filter)
    }
}

impl fmt::Display for Leaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.found.0.fmt(f)
    }
}

impl fmt::Debug for Leaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.found.0)
    }
}

impl std::error::Error for Leaks {}
