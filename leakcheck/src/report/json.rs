//! The report for machines: one line of JSON. What is in it, `docs/json.md` says,
//! and `docs/report.schema.json` as a schema. Within a version fields are added only.

use std::collections::BTreeMap;
use std::panic::Location;
use std::time::{Duration, SystemTime};

use gopark::UnseenPanic;
use gopark::inspect::{
    Ancestor, ChannelEnd, Half, Handles, Holder, Kind, LockInfo, TaskInfo, Trace, WaitReason,
    WaitsFor,
};

use super::text::{Why, what};
use super::value::Value;
use super::{Ending, Group, Report, State, Subject, Wakers, body};
use crate::callers::{self, Caller};
use crate::cycle::{Cycle, Link};
use crate::source::{self, Item};

/// Changes when a field changes its meaning or goes away.
const VERSION: u32 = 1;

/// The report and a line break.
pub(super) fn line(report: &Report) -> String {
    format!("{}\n", of(report))
}

fn of(report: &Report) -> Value {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let tool = [("name", "leakcheck".into()), ("version", env!("CARGO_PKG_VERSION").into())];
    let program = std::env::current_exe().ok().map(|path| path.display().to_string());
    let process = [("id", std::process::id().into()), ("program", program.into())];
    Value::from([
        ("version", VERSION.into()),
        ("tool", tool.into()),
        ("time_ms", milliseconds(now)),
        ("process", process.into()),
        ("subject", subject(&report.subject)),
        ("headline", report.headline().to_string().into()),
        ("proven", report.proven.into()),
        ("waited_us", microseconds(report.after)),
        ("body", report.body.as_ref().map(|it| body(report, it)).into()),
        ("deadlocks", report.cycles.iter().map(deadlock).collect()),
        ("groups", report.groups.iter().map(|it| group(report, it)).collect()),
        ("panics", report.panics.iter().map(panic).collect()),
        ("ancestors", report.people.makers().map(|it| ancestor(report, it)).collect()),
        ("items", report.found.iter().flat_map(|found| &found.items).map(item).collect()),
        ("wakers", wakers(&report.wakers)),
        ("unused_rules", report.idle.iter().map(String::as_str).collect()),
    ])
}

/// The test itself, which did not come to its end.
fn body(report: &Report, ending: &Ending) -> Value {
    let (Ending::Unwound(info) | Ending::LeftAlone(info, _)) = ending;
    let is = State::of(info);
    Value::from([
        ("unwound", matches!(ending, Ending::Unwound(_)).into()),
        ("state", state(is).into()),
        ("reason", reason(is).map(WaitReason::as_str).into()),
        ("what", what(is, &[&**info]).into()),
        ("why", body::Why { ending, info, report }.to_string().into()),
        ("waits_at", info.wait.map(|wait| wait.site).or(info.call).map(place).into()),
        ("task", task(info)),
    ])
}

fn deadlock(cycle: &Cycle) -> Value {
    let link = |link: &Link| {
        Value::from([
            ("task", link.wait.id.get().into()),
            ("reason", link.wait.reason.as_str().into()),
            ("waits_at", place(link.wait.site)),
            ("lock", address(link.wait.lock.address)),
            ("holder", holder(link.holder)),
        ])
    };
    cycle.links.iter().map(link).collect()
}

fn item(item: &Item) -> Value {
    let places = item.places.iter().map(|place| {
        Value::from([
            ("file", place.file.as_str().into()),
            ("line", place.line.into()),
            ("column", place.column.into()),
            ("says", place.says.as_str().into()),
        ])
    });
    let note = |(key, value): &(String, String)| {
        Value::from([("key", key.as_str().into()), ("value", value.as_str().into())])
    };
    Value::from([
        ("kind", item.kind.as_str().into()),
        ("id", item.id.as_str().into()),
        ("stays", (item.state == source::State::Stays).into()),
        ("name", item.name.clone().into()),
        ("what", item.does.as_str().into()),
        ("why", item.why.as_str().into()),
        ("places", places.collect()),
        ("notes", item.notes.iter().map(note).collect()),
    ])
}

fn ancestor(report: &Report, ancestor: &Ancestor) -> Value {
    let kind = match ancestor.kind {
        Kind::Task => "task",
        Kind::Thread => "thread",
    };
    // Where a thread was made, its stack says.
    let task = ancestor.kind == Kind::Task;
    Value::from([
        ("id", ancestor.id.get().into()),
        ("kind", kind.into()),
        ("parent", ancestor.parent.map(|parent| parent.get()).into()),
        ("ended", report.people.info(report, ancestor.id).is_none().into()),
        ("name", ancestor.name.clone().into()),
        ("entry", task.then_some(ancestor.entry).into()),
        ("made_at", task.then(|| place(ancestor.created_at)).into()),
        ("made_by", task.then_some(ancestor.creator).into()),
        ("creation_stack", ancestor.creation_stack.as_ref().map(stack).into()),
    ])
}

/// The functions of the program, the innermost first.
fn stack(stack: &Trace) -> Value {
    let callers = callers::of_trace(stack);
    let caller = |caller: &Caller| {
        Value::from([
            ("function", caller.function.as_str().into()),
            ("file", caller.place.as_ref().map(|(file, ..)| file.as_str()).into()),
            ("line", caller.place.as_ref().map(|(_, line, _)| *line).into()),
        ])
    };
    callers.iter().map(caller).collect()
}

fn panic(panic: &UnseenPanic) -> Value {
    Value::from([
        ("task", panic.task.get().into()),
        ("parent", panic.parent.map(|parent| parent.get()).into()),
        ("creation_stack", panic.creation_stack.as_ref().map(stack).into()),
        ("name", panic.name.clone().into()),
        ("entry", panic.entry.into()),
        ("made_at", place(panic.created_at)),
        ("message", panic.message.clone().into()),
    ])
}

fn subject(subject: &Subject) -> Value {
    let kind = match subject {
        Subject::Test(_) => "test",
        Subject::Scope(_) => "scope",
        Subject::Root => "root",
    };
    Value::from([("kind", kind.into()), ("name", subject.name().into())])
}

fn group(report: &Report, group: &Group) -> Value {
    let tasks: Vec<&TaskInfo> = group.members.iter().map(|at| &report.tasks[*at]).collect();
    Value::from([
        ("state", state(group.state).into()),
        ("reason", reason(group.state).map(WaitReason::as_str).into()),
        ("what", what(group.state, &tasks).into()),
        ("why", Why { group, report }.to_string().into()),
        ("entry", tasks[0].entry.into()),
        ("waits_at", group.wait_site.map(place).into()),
        ("made_at", place(group.created_at)),
        ("made_by", tasks[0].creator.into()),
        ("tasks", tasks.into_iter().map(task).collect()),
    ])
}

fn state(state: State) -> &'static str {
    match state {
        State::Blocked(_) => "blocked",
        State::Timed(WaitReason::Sleep) => "sleeping",
        State::Timed(_) => "timed",
        State::Parked(_) => "parked",
        State::Running => "running",
        State::Ready => "ready",
        State::Syscall => "call",
    }
}

fn reason(state: State) -> Option<WaitReason> {
    match state {
        State::Blocked(reason) | State::Timed(reason) | State::Parked(reason) => Some(reason),
        State::Running | State::Ready | State::Syscall => None,
    }
}

fn task(task: &TaskInfo) -> Value {
    // A key that was given twice has its last value.
    let labels: BTreeMap<String, Value> =
        task.labels.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    let wait = task.wait.as_ref();
    Value::from([
        ("id", task.id.get().into()),
        ("parent", task.parent.map(|parent| parent.get()).into()),
        ("creation_stack", task.creation_stack.as_ref().map(stack).into()),
        ("name", task.name.clone().into()),
        ("labels", Value::Map(labels.into_iter().collect())),
        ("status", task.status.as_str().into()),
        ("age_ms", wait.map(|wait| milliseconds(wait.age)).into()),
        ("left_ms", wait.and_then(|wait| wait.left).map(milliseconds).into()),
        ("lock", wait.and_then(|wait| wait.lock).map(lock).into()),
        ("waits_for", task.waits_for.iter().map(end).collect()),
    ])
}

fn lock(lock: LockInfo) -> Value {
    Value::from([("address", address(lock.address)), ("holder", lock.holder.map(holder).into())])
}

fn holder(holder: Holder) -> Value {
    Value::from([("task", holder.task.get().into()), ("at", place(holder.site))])
}

fn end(end: &WaitsFor) -> Value {
    match end {
        WaitsFor::Channel(it) => channel(it),
        WaitsFor::Task(task) => Value::from([("kind", "task".into()), ("task", task.get().into())]),
        WaitsFor::WaitGroup { count, counted, .. } => Value::from([
            ("kind", "wait_group".into()),
            ("count", (*count).into()),
            ("counted", counted.map(holder).into()),
        ]),
        WaitsFor::Condvar { signalled, .. } => {
            Value::from([("kind", "condvar".into()), ("signalled", signalled.map(holder).into())])
        }
        WaitsFor::Semaphore { wants, free, size, taken, .. } => Value::from([
            ("kind", "semaphore".into()),
            ("wants", (*wants).into()),
            ("free", (*free).into()),
            ("size", (*size).into()),
            ("taken", taken.map(holder).into()),
        ]),
        WaitsFor::Barrier { parties, arrived, .. } => Value::from([
            ("kind", "barrier".into()),
            ("parties", (*parties).into()),
            ("arrived", (*arrived).into()),
        ]),
        // One that this version does not know.
        _ => Value::from([("kind", "other".into())]),
    }
}

fn channel(channel: &ChannelEnd) -> Value {
    Value::from([
        ("kind", "channel".into()),
        ("wants_to", half(channel.wants_to).into()),
        ("address", address(channel.address)),
        ("made_at", place(channel.created_at)),
        ("capacity", channel.capacity.into()),
        ("len", channel.len.into()),
        ("timer", channel.timer.into()),
        ("context", channel.context.into()),
        ("senders", channel.senders.into()),
        ("receivers", channel.receivers.into()),
        ("handles", channel.handles.iter().map(handles).collect()),
    ])
}

fn handles(handles: &Handles) -> Value {
    Value::from([
        ("half", half(handles.half).into()),
        ("made_at", place(handles.created_at)),
        ("count", handles.count.into()),
        ("last_users", handles.users.iter().map(|user| user.get()).collect()),
    ])
}

fn half(half: Half) -> &'static str {
    match half {
        Half::Send => "send",
        Half::Receive => "receive",
    }
}

fn wakers(wakers: &Wakers) -> Value {
    let Wakers { running, timed, other, outside, timers, foreign } = wakers;
    Value::from([
        ("running", (*running).into()),
        ("timed", (*timed).into()),
        ("other", (*other).into()),
        ("outside", (*outside).into()),
        ("timers", (*timers).into()),
        ("threads", foreign.iter().map(String::as_str).collect()),
    ])
}

fn place(at: &Location<'_>) -> Value {
    Value::from([
        ("file", at.file().into()),
        ("path", gopark::inspect::source::absolute(at).into()),
        ("line", at.line().into()),
        ("column", at.column().into()),
    ])
}

/// A string: a number of 64 bits has more digits than JSON's readers keep.
fn address(address: usize) -> Value {
    format!("{address:#x}").into()
}

fn milliseconds(time: Duration) -> Value {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).into()
}

fn microseconds(time: Duration) -> Value {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).into()
}
