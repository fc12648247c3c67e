//! The other end: what a leaked task waits for, in words, and who the tasks are that
//! have to do with it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::OnceLock;

use gopark::inspect::{
    Ancestor, ChannelEnd, Half, Handles, Holder, Kind, Snapshot, TaskInfo, WaitReason, WaitsFor,
    current_task,
};
use gopark::{TaskId, UnseenPanic};

use super::text::{Count, Time};
use super::{Group, Report};

/// Chains of tasks are followed so far.
const LINKS: usize = 8;
/// The group of the test itself, which is in none.
pub(super) const BODY: usize = usize::MAX;
/// Of so many cases of a select each is told.
const CASES: usize = 6;

/// Who is who at the time of the report.
#[derive(Debug, Default)]
pub(super) struct People {
    /// Leaked tasks: where they stand in the list, and in which group.
    leaked: HashMap<TaskId, (usize, usize)>,
    /// The thread that makes the check, or the body that it is about.
    pub(super) me: Option<TaskId>,
    /// Who made whom, also if they have ended.
    makers: BTreeMap<TaskId, Ancestor>,
    /// Everybody else, read when somebody asks.
    others: OnceLock<HashMap<TaskId, TaskInfo>>,
}

impl People {
    pub(super) fn new(groups: &[Group], tasks: &[TaskInfo], panics: &[UnseenPanic]) -> People {
        let members = groups.iter().enumerate();
        let members = members.flat_map(|(n, it)| it.members.iter().map(move |at| (*at, n)));
        let mut makers = BTreeMap::new();
        let mut add = |parent: Option<TaskId>, ancestors: &dyn Fn() -> Vec<Ancestor>| {
            if parent.is_some_and(|parent| !makers.contains_key(&parent)) {
                makers.extend(ancestors().into_iter().map(|it| (it.id, it)));
            }
        };
        tasks.iter().for_each(|task| add(task.parent, &|| task.ancestors()));
        panics.iter().for_each(|panic| add(panic.parent, &|| panic.ancestors()));
        People {
            leaked: members.map(|(at, n)| (tasks[at].id, (at, n))).collect(),
            me: Some(current_task()),
            makers,
            others: OnceLock::new(),
        }
    }

    /// All who are known to have made somebody whom the report is about, or one of these.
    pub(super) fn makers(&self) -> impl Iterator<Item = &Ancestor> {
        self.makers.values()
    }

    /// One of those.
    pub(super) fn maker(&self, id: TaskId) -> Option<&Ancestor> {
        self.makers.get(&id)
    }

    /// A task that is no leak.
    fn other(&self, id: TaskId) -> Option<&TaskInfo> {
        let read = || Snapshot::all().tasks.into_iter().map(|task| (task.id, task)).collect();
        self.others.get_or_init(read).get(&id)
    }

    /// Whether it is alive, and what is known of it then.
    pub(super) fn info<'a>(&'a self, report: &'a Report, id: TaskId) -> Option<&'a TaskInfo> {
        match self.leaked.get(&id) {
            Some((at, _)) => Some(&report.tasks[*at]),
            None => self.other(id),
        }
    }
}

/// `task 7 (leaked, too: [2])`, as seen from a task of group `here`.
pub(super) fn who(report: &Report, id: TaskId, here: Option<(usize, TaskId)>) -> String {
    let people = &report.people;
    if report.body().is_some_and(|body| body.id == id) {
        return format!("task {id} (the test itself)");
    }
    if here.is_some_and(|(_, me)| me == id) {
        return format!("task {id} (this one)");
    }
    if let Some((_, group)) = people.leaked.get(&id) {
        return match here {
            Some((n, _)) if n == *group => format!("task {id} (leaked like this one)"),
            _ => format!("task {id} (leaked, too: [{}])", group + 1),
        };
    }
    if people.me == Some(id) {
        return match report.subject {
            super::Subject::Test(_) => format!("task {id} (the test itself)"),
            _ => format!("task {id} (which makes this check)"),
        };
    }
    match people.other(id) {
        None => match people.maker(id) {
            Some(Ancestor { kind: Kind::Thread, name: Some(test), .. }) => match &report.subject {
                super::Subject::Test(name) if name == test => {
                    format!("task {id} (the test itself, ended)")
                }
                _ => format!("task {id} (test {test}, ended)"),
            },
            Some(Ancestor { kind: Kind::Thread, .. }) => {
                format!("task {id} (a thread that is no task, ended)")
            }
            Some(Ancestor { name: Some(name), .. }) => format!("task {id} (`{name}`, ended)"),
            _ => format!("task {id} (ended)"),
        },
        Some(task) if task.kind == Kind::Thread => format!("task {id} (a thread that is no task)"),
        Some(task) => match &task.name {
            Some(name) => format!("task {id} (`{name}`, {})", doing(task)),
            None => format!("task {id} ({})", doing(task)),
        },
    }
}

fn doing(task: &TaskInfo) -> String {
    match &task.wait {
        Some(wait) => format!("alive, in `{}`", wait.reason.as_str()),
        None => "alive".to_owned(),
    }
}

/// What the tasks of a group wait for, a line each; empty if nothing is known.
pub(super) fn lines(report: &Report, number: usize, group: &Group) -> Vec<String> {
    let first = &report.tasks[group.members[0]];
    let mut lines = of_task(report, number, first);
    let others = group.members[1..].iter().map(|at| &report.tasks[*at]);
    let apart = others.filter(|task| !same_end(&first.waits_for, &task.waits_for)).count();
    if apart > 0 {
        lines.push(format!("(so for task {}; {} for another like it)", first.id, waits(apart)));
    }
    lines
}

fn waits(tasks: usize) -> String {
    format!("{} wait{}", Count(tasks, "other task"), if tasks == 1 { "s" } else { "" })
}

fn same_end(a: &[WaitsFor], b: &[WaitsFor]) -> bool {
    let same = |pair: (&WaitsFor, &WaitsFor)| match pair {
        (WaitsFor::Channel(a), WaitsFor::Channel(b)) => a.address == b.address,
        (WaitsFor::Task(a), WaitsFor::Task(b)) => a == b,
        _ => true,
    };
    a.len() == b.len() && a.iter().zip(b).all(same)
}

/// What one task waits for, or the test itself.
pub(super) fn of_task(report: &Report, number: usize, task: &TaskInfo) -> Vec<String> {
    let here = (number, task.id);
    let Some(wait) = &task.wait else { return Vec::new() };
    match &task.waits_for[..] {
        [] => without_end(report, here, wait.reason, task),
        [WaitsFor::WaitGroup { count, .. }] if wait.reason == WaitReason::Join => {
            vec![of_scope(report, task, *count)]
        }
        [only] if wait.reason != WaitReason::Select => of_end(report, here, only),
        cases => {
            let mut lines = vec![match (cases.len(), wait.left) {
                (1, None) => "the only case of the select that could ever be ready".to_owned(),
                (1, Some(left)) => format!("one case, or the time limit in {}", Time(left)),
                (n, None) => format!("one of {n} cases"),
                (n, Some(left)) => format!("one of {n} cases, or the time limit in {}", Time(left)),
            }];
            for (n, case) in cases.iter().take(CASES).enumerate() {
                for (m, line) in of_end(report, here, case).into_iter().enumerate() {
                    let lead = if m == 0 { format!("{n}: ") } else { "   ".to_owned() };
                    lines.push(lead + &line);
                }
            }
            if cases.len() > CASES {
                lines.push(format!("… and {} more", cases.len() - CASES));
            }
            lines
        }
    }
}

fn without_end(
    report: &Report,
    here: (usize, TaskId),
    reason: WaitReason,
    task: &TaskInfo,
) -> Vec<String> {
    let text = match reason {
        WaitReason::ChanReceiveNil => "a value on a channel that never has one (`chan::never`)",
        WaitReason::ChanSendNil => {
            "a receiver on a channel that never has one (`chan::never_sender`)"
        }
        WaitReason::SelectNoCases => "nothing: the select has no case that could ever be ready",
        WaitReason::Select => "cases that can never be ready (channels made by `chan::never`)",
        WaitReason::RwLockWrite if !is_held(task) => return of_readers(report, here, task),
        WaitReason::Sleep => return sleeping(task),
        WaitReason::BlockOn => "a future, whose waker somebody has",
        WaitReason::BlockOnAlone => "a future, whose waker nobody has any more",
        _ => return Vec::new(),
    };
    vec![text.to_owned()]
}

/// Those who read what it wants to write.
fn of_readers(report: &Report, here: (usize, TaskId), task: &TaskInfo) -> Vec<String> {
    let lock = task.wait.and_then(|wait| wait.lock);
    let known = lock.iter().flat_map(|lock| lock.readers.iter().flatten());
    let mut lines: Vec<String> = known
        .map(|reader| {
            format!("{}, who reads since {}", who(report, reader.task, Some(here)), reader.site)
        })
        .collect();
    lines.insert(
        0,
        match lines.is_empty() {
            true => "readers to let go of the lock; who they are is not recorded".to_owned(),
            false => "readers to let go of the lock:".to_owned(),
        },
    );
    lines
}

/// Whether the lock that it waits for has an owner.
fn is_held(task: &TaskInfo) -> bool {
    task.wait.and_then(|wait| wait.lock).is_some_and(|lock| lock.holder.is_some())
}

fn sleeping(task: &TaskInfo) -> Vec<String> {
    let left = task.wait.as_ref().and_then(|wait| wait.left);
    left.map(|left| format!("the time: {} more", Time(left))).into_iter().collect()
}

fn of_end(report: &Report, here: (usize, TaskId), end: &WaitsFor) -> Vec<String> {
    match end {
        WaitsFor::Channel(channel) => of_channel(report, here, channel),
        WaitsFor::Task(id) => of_join(report, here, *id),
        WaitsFor::WaitGroup { count, counted, .. } => {
            let mut line = format!("a wait group with {} to be done", Count64(*count, "thing"));
            if let Some(Holder { task, site, .. }) = counted {
                let who = who(report, *task, Some(here));
                let _ = write!(line, "; counted up last at {site} by {who}");
            }
            vec![line]
        }
        WaitsFor::Condvar { signalled, .. } => {
            let mut line = "a signal of a condition variable".to_owned();
            match signalled {
                None => line += ", which nobody has ever signalled",
                Some(Holder { task, site, .. }) => {
                    let who = who(report, *task, Some(here));
                    let _ = write!(line, "; the last one was given at {site} by {who}, before ");
                    line += "this wait or to another";
                }
            }
            vec![line]
        }
        WaitsFor::Semaphore { wants, free, size, taken, .. } => {
            let mut line =
                format!("{} of a semaphore: {free} of {size} free", Count(*wants, "permit"));
            if let Some(Holder { task, site, .. }) = taken {
                let who = who(report, *task, Some(here));
                let _ = write!(line, "; taken last at {site} by {who}");
            }
            vec![line]
        }
        WaitsFor::Barrier { parties, arrived, .. } => {
            vec![format!("the others at a barrier: {arrived} of {parties} have come")]
        }
        other => vec![format!("{other:?}")],
    }
}

fn of_channel(report: &Report, here: (usize, TaskId), channel: &ChannelEnd) -> Vec<String> {
    if channel.context {
        let at = channel.created_at;
        return vec![format!("the end of the context made at {at}, which nobody has cancelled")];
    }
    let what = match channel.wants_to {
        Half::Receive if channel.timer => "the time, on the channel of a timer",
        Half::Receive => "a value on the channel",
        Half::Send if channel.capacity == 0 => "somebody who receives on the channel",
        Half::Send => "room in the channel",
    };
    let buffer = match (channel.capacity, channel.len) {
        _ if channel.timer => String::new(),
        (0, _) => " (no buffer)".to_owned(),
        (capacity, 0) => format!(" (buffer of {capacity}, empty)"),
        (capacity, len) if len >= capacity => format!(" (buffer of {capacity}, full)"),
        (capacity, len) => format!(" (buffer of {capacity}, {len} in it)"),
    };
    let mut lines = vec![format!("{what} made at {}{buffer}", channel.created_at)];
    if channel.timer {
        return lines;
    }
    let (other, total, noun) = match channel.wants_to {
        Half::Receive => (Half::Send, channel.senders, "sender"),
        Half::Send => (Half::Receive, channel.receivers, "receiver"),
    };
    let verb = if total == 1 { "is" } else { "are" };
    let groups: Vec<&Handles> = channel.handles.iter().filter(|it| it.half == other).collect();
    match &groups[..] {
        [only] if only.count == total => {
            let told = handles(report, here, channel, only);
            lines.push(format!("{} {verb} alive: {told}", Count(total, noun)));
        }
        groups => {
            lines.push(format!("{} {verb} alive:", Count(total, noun)));
            for group in groups {
                let told = handles(report, here, channel, group);
                lines.push(format!("  {} {told}", group.count));
            }
            let told: usize = groups.iter().map(|group| group.count).sum();
            if total > told {
                lines.push(format!("  {} made elsewhere", total - told));
            }
        }
    }
    lines
}

/// `cloned at src/lib.rs:6:17, last used by task 2 (this one)`.
fn handles(
    report: &Report,
    here: (usize, TaskId),
    channel: &ChannelEnd,
    handles: &Handles,
) -> String {
    let mut text = match handles.created_at == channel.created_at {
        true => "made with the channel".to_owned(),
        false => format!("cloned at {}", handles.created_at),
    };
    let users: Vec<String> =
        handles.users.iter().map(|user| who(report, *user, Some(here))).collect();
    match &users[..] {
        // What made the channel made one handle, so nobody was pushed out.
        [] if handles.created_at == channel.created_at => text += ", not used yet",
        [] => {}
        users => {
            let _ = write!(text, ", last used by {}", users.join(", "));
        }
    }
    text
}

/// The tasks that were started in a `scope`, of which so many are left.
fn of_scope(report: &Report, task: &TaskInfo, count: u64) -> String {
    let mut line = format!("the end of {} of its `gopark::scope`", Count64(count, "task"));
    let mut children = report.tasks.iter().filter(|it| it.parent == Some(task.id));
    // It may have started others as well.
    if let (Some(child), None, 1) = (children.next(), children.next(), count) {
        let _ = write!(line, ", {}", who(report, child.id, None));
    }
    line
}

/// The task that is waited for, and what that one waits for, and so on.
fn of_join(report: &Report, here: (usize, TaskId), joined: TaskId) -> Vec<String> {
    if joined == here.1 {
        return vec!["its own end: it joins itself".to_owned()];
    }
    let mut line = format!("the end of {}", who(report, joined, Some(here)));
    let mut seen = vec![here.1, joined];
    let mut at = joined;
    for _ in 0..LINKS {
        let Some(task) = report.people.info(report, at) else { break };
        let Some(wait) = &task.wait else {
            line += ", which runs";
            break;
        };
        let [WaitsFor::Task(next)] = task.waits_for[..] else {
            let _ = write!(line, ", which is in `{}` at {}", wait.reason.as_str(), wait.site);
            break;
        };
        let _ = write!(line, ", which waits for the end of {}", who(report, next, Some(here)));
        if seen.contains(&next) {
            line += ": a cycle";
            break;
        }
        seen.push(next);
        at = next;
    }
    vec![line]
}

struct Count64(u64, &'static str);

impl std::fmt::Display for Count64 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Count(usize::try_from(self.0).unwrap_or(usize::MAX), self.1).fmt(f)
    }
}
