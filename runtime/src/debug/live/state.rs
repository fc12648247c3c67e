//! The program at one moment, in numbers.

use super::{STATES, key};
use crate::debug::normal::Level;
use crate::inspect::{Group, List, Metrics, Object, Place, WaitReason, groups_blocked};
use crate::sched::figures::{Figures, OfProcessor, Use};
use crate::sys::clock;
use std::time::Duration;

/// Groups that are listed, the largest.
const MOST: usize = 300;

/// As JSON. Tasks that have been blocked for `longer_than` are counted besides.
pub(in crate::debug) fn state(longer_than: Duration) -> String {
    let metrics = Metrics::now();
    let groups = groups_blocked(longer_than);
    let figures = Figures::now();
    let (bound, elsewhere) = figures.bound();
    let tasks = groups.iter().map(|(group, _)| group.count).sum();

    let mut out = String::new();
    let mut object = Object::begin(&mut out);
    object.number("time_ms", clock::now() / 1_000_000);
    object.number("pid", std::process::id());
    let program = std::env::current_exe().ok();
    let name = program.as_ref().and_then(|path| path.file_name());
    object.text("program", &name.unwrap_or_default().display());
    object.number("tasks", tasks);
    let level = Level::of(tasks);
    object.text("level", level.name);
    object.text("meaning", level.meaning);
    object.number("warning", level.is_warning());

    object.key("states");
    let mut states = Object::begin(object.out);
    for status in STATES {
        let of = groups.iter().filter(|(group, _)| group.status == status);
        states.number(status.as_str(), of.map(|(group, _)| group.count).sum::<usize>());
    }
    states.end();
    object.key("counts");
    write_counts(object.out, &metrics);
    object.key("processors");
    let mut list = List::begin(object.out);
    for (p, bound) in figures.processors.iter().zip(bound) {
        write_processor(list.next(), p, bound, &figures);
    }
    list.end();
    object.key("queues");
    let mut queues = Object::begin(object.out);
    queues.number("global", figures.waiting);
    queues.number("bound", elsewhere);
    queues.end();
    object.number("threads", metrics.threads);
    object.number("idle_threads", metrics.idle_threads);
    object.number("spinning_threads", metrics.spinning_threads);
    object.number("blocked", groups.iter().map(|(_, blocked)| blocked).sum::<usize>());
    object.number("minutes", longer_than.as_secs() / 60);
    object.key("groups");
    let mut list = List::begin(object.out);
    for (group, blocked) in groups.iter().take(MOST) {
        write_group(list.next(), group, *blocked);
    }
    list.end();
    object.number("more_groups", groups.len().saturating_sub(MOST));
    object.end();
    out
}

/// How often a task has gone from one state to another so far.
fn write_counts(out: &mut String, metrics: &Metrics) {
    let mut counts = Object::begin(out);
    let parks: u64 = WaitReason::ALL.iter().map(|reason| metrics.parks_for(*reason)).sum();
    counts.number("go", metrics.created);
    counts.number("start", metrics.switches);
    counts.number("yield", metrics.yields + metrics.gave_way);
    counts.number("park", parks);
    counts.number("ready", metrics.readies);
    counts.number("call", metrics.blocking_calls + metrics.detached);
    counts.number("back", metrics.resumed_at_once);
    counts.number("queue", metrics.resumed_later);
    counts.number("suspend", metrics.suspended);
    counts.number("overrun", metrics.resumed_suspended);
    counts.number("trim", metrics.trims);
    counts.number("condemn", metrics.condemned);
    counts.number("end", metrics.finished);
    counts.number("steal", metrics.steals);
    counts.number("timer", metrics.timers_fired);
    counts.end();
}

fn write_processor(out: &mut String, p: &OfProcessor, bound: usize, figures: &Figures) {
    let mut object = Object::begin(out);
    let holder = p.holder.and_then(|id| figures.workers.iter().find(|w| w.id == id));
    let state = match p.usage {
        Use::Idle => "idle",
        Use::Dead => "retired",
        Use::Running if holder.is_none() => "lent",
        Use::Running => "held",
    };
    object.text("state", state);
    if let Some(holder) = holder {
        object.number("worker", holder.id);
        object.number("spinning", holder.spinning);
        if let Some(task) = holder.task {
            object.number("task", task);
        }
    }
    object.number("queued", p.queued);
    object.number("bound", bound);
    object.number("ticks", p.tick);
    object.number("timers", p.timers);
    object.end();
}

fn write_group(out: &mut String, group: &Group, blocked: usize) {
    let mut object = Object::begin(out);
    object.text("key", &format_args!("{:016x}", key::of_group(group)));
    object.number("count", group.count);
    object.number("blocked", blocked);
    object.text("status", group.status.as_str());
    if let Some(reason) = group.reason {
        object.text("reason", reason.as_str());
        object.number("durable", reason.durable());
    }
    if let Some(site) = group.site {
        object.text("site", &Place(site));
    }
    object.text("entry", group.entry);
    object.text("created_at", &Place(group.created_at));
    if let Some(oldest) = group.oldest {
        object.number("oldest_ms", oldest.as_millis());
    }
    object.end();
}
