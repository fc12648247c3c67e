//! One task: what it is in the middle of, whom it waits for, and who waits for it.
//!
//! An arrow leads from who waits to what it waits for: to a lock's holder, to the task that is
//! joined, to a channel and from there to those who used its other half last. Whoever stands
//! there may wait himself; so it goes on for some steps. A circle of locks shows as one.

use crate::inspect::{
    ChannelEnd, Half, Kind, List, Object, Place, Snapshot, TaskInfo, WaitReason, WaitsFor,
    add_frames, explain, write_task,
};
use crate::task::record::TaskId;
use std::collections::HashMap;
use std::fmt::Write as _;

/// Tasks one behind the other.
const DEPTH: i32 = 6;
/// Nodes of a picture.
const MOST: usize = 40;
/// Who wait for the task, of those who are shown.
const MOST_WAITERS: usize = 8;
/// Tasks that are asked whether they wait for it.
const MOST_ASKED: usize = 2_000;

/// As JSON; `None` if there is no such task.
pub(in crate::debug) fn task(id: u64) -> Option<String> {
    let all = Snapshot::all().tasks;
    let mut one: Vec<TaskInfo> = all.iter().filter(|task| task.id.get() == id).cloned().collect();
    add_frames(&mut one);
    let task = one.pop()?;
    let mut picture = Picture::of(&all);
    picture.follow(task.id);
    let hidden = picture.waiters(task.id);

    let mut out = String::new();
    let mut object = Object::begin(&mut out);
    object.key("task");
    write_task(object.out, &task);
    object.key("ancestors");
    let mut list = List::begin(object.out);
    for ancestor in task.ancestors() {
        let mut object = Object::begin(list.next());
        object.number("id", ancestor.id);
        object.text("entry", ancestor.name.as_deref().unwrap_or(ancestor.entry));
        object.text("created_at", &Place(ancestor.created_at));
        object.end();
    }
    list.end();
    object.key("nodes");
    let mut list = List::begin(object.out);
    picture.nodes.iter().for_each(|node| node.write(list.next()));
    list.end();
    object.key("edges");
    let mut list = List::begin(object.out);
    for (from, to, what) in &picture.edges {
        let mut object = Object::begin(list.next());
        object.number("from", from);
        object.number("to", to);
        object.text("what", what);
        object.end();
    }
    list.end();
    object.number("more_waiters", hidden);
    object.end();
    Some(out)
}

struct Node {
    task: Option<TaskId>,
    /// Which column it is in: 0 is the task's.
    level: i32,
    title: String,
    detail: String,
    status: &'static str,
}

impl Node {
    fn write(&self, out: &mut String) {
        let mut object = Object::begin(out);
        if let Some(task) = self.task {
            object.number("task", task);
        }
        object.number("level", self.level);
        object.text("title", &self.title);
        object.text("detail", &self.detail);
        object.text("status", self.status);
        object.end();
    }
}

#[derive(PartialEq, Eq, Hash)]
enum Thing {
    Task(TaskId),
    Channel(usize),
}

struct Picture<'a> {
    tasks: HashMap<TaskId, &'a TaskInfo>,
    nodes: Vec<Node>,
    /// From, to, and what the one wants of the other.
    edges: Vec<(usize, usize, String)>,
    places: HashMap<Thing, usize>,
    /// Tasks whose waits are to be followed next.
    next: Vec<TaskId>,
}

impl<'a> Picture<'a> {
    fn of(all: &'a [TaskInfo]) -> Picture<'a> {
        Picture {
            tasks: all.iter().map(|task| (task.id, task)).collect(),
            nodes: Vec::new(),
            edges: Vec::new(),
            places: HashMap::new(),
            next: Vec::new(),
        }
    }

    fn follow(&mut self, from: TaskId) {
        self.task(from, 0);
        for _ in 0..DEPTH {
            let next = std::mem::take(&mut self.next);
            let known = next.iter().filter_map(|id| self.tasks.get(id));
            let mut tasks: Vec<TaskInfo> = known.map(|task| (*task).clone()).collect();
            if tasks.is_empty() {
                return;
            }
            explain(&mut tasks);
            tasks.iter().for_each(|task| self.waits(task));
        }
    }

    /// Who waits for the task, as far as somebody knows. How many are not shown.
    fn waiters(&mut self, id: TaskId) -> usize {
        let wants_lock = |task: &&&TaskInfo| {
            let lock = task.wait.and_then(|wait| wait.lock);
            lock.is_some_and(|lock| lock.holders().any(|holder| holder.task == id))
        };
        let mut found: Vec<(TaskId, &str)> =
            self.tasks.values().filter(wants_lock).map(|task| (task.id, "its lock")).collect();
        let joins = |task: &&&TaskInfo| task.wait.is_some_and(|it| it.reason == WaitReason::Join);
        let joining = self.tasks.values().filter(joins).take(MOST_ASKED);
        let mut joining: Vec<TaskInfo> = joining.map(|task| (*task).clone()).collect();
        explain(&mut joining);
        let is_for = |task: &&TaskInfo| {
            task.waits_for.iter().any(|it| matches!(it, WaitsFor::Task(joined) if *joined == id))
        };
        found.extend(joining.iter().filter(is_for).map(|task| (task.id, "its end")));
        found.sort_unstable();
        let hidden = found.len().saturating_sub(MOST_WAITERS);
        for (waiter, what) in found.into_iter().take(MOST_WAITERS) {
            // One that is there already is in a circle, and has its arrow.
            if !self.places.contains_key(&Thing::Task(waiter)) {
                let node = self.task(waiter, -1);
                self.edge(node, 0, what);
            }
        }
        hidden
    }

    fn waits(&mut self, task: &TaskInfo) {
        let Some(wait) = task.wait else { return };
        let Some(&from) = self.places.get(&Thing::Task(task.id)) else { return };
        let level = self.nodes[from].level + 1;
        for holder in wait.lock.iter().flat_map(|lock| lock.holders()) {
            let to = self.task(holder.task, level);
            self.edge(from, to, &format!("a lock, taken at {}", Place(holder.site)));
        }
        for what in &task.waits_for {
            self.waits_for(from, level, what);
        }
        let other = match wait.reason {
            WaitReason::Sleep => "a timer",
            WaitReason::Offload => "a helper thread",
            WaitReason::IoWait => "a socket",
            WaitReason::BlockOn | WaitReason::BlockOnAlone => "a future",
            _ => return,
        };
        let detail = wait.left.map_or_else(String::new, |left| format!("in {left:.0?}"));
        let to = self.thing(level, other.to_owned(), detail);
        self.edge(from, to, "");
    }

    fn waits_for(&mut self, from: usize, level: i32, what: &WaitsFor) {
        match what {
            WaitsFor::Channel(end) => self.channel(from, level, end),
            WaitsFor::Task(id) => {
                let to = self.task(*id, level);
                self.edge(from, to, "its end");
            }
            WaitsFor::WaitGroup { count, counted } => {
                let title = "a wait group".to_owned();
                let to = self.thing(level, title, format!("{count} to come"));
                self.edge(from, to, "");
                if let Some(holder) = counted {
                    let task = self.task(holder.task, level + 1);
                    let what = format!("who counted up last, at {}", Place(holder.site));
                    self.edge(to, task, &what);
                }
            }
            WaitsFor::Condvar { .. } => {
                let to = self.thing(level, "a condition".to_owned(), "not signalled".to_owned());
                self.edge(from, to, "");
            }
            WaitsFor::Semaphore { wants, free, size, taken } => {
                let detail = format!("{free} of {size} free");
                let to = self.thing(level, "a semaphore".to_owned(), detail);
                self.edge(from, to, &format!("{wants} of it"));
                if let Some(holder) = taken {
                    let task = self.task(holder.task, level + 1);
                    self.edge(to, task, &format!("who took of it last, at {}", Place(holder.site)));
                }
            }
            WaitsFor::Barrier { parties, arrived } => {
                let detail = format!("{arrived} of {parties} are there");
                let to = self.thing(level, "a barrier".to_owned(), detail);
                self.edge(from, to, "");
            }
        }
    }

    fn channel(&mut self, from: usize, level: i32, end: &ChannelEnd) {
        let (verb, other) = match end.wants_to {
            Half::Send => ("to send", Half::Receive),
            Half::Receive => ("to receive", Half::Send),
        };
        let thing = Thing::Channel(end.address);
        let known = self.places.get(&thing).copied();
        let to = known.unwrap_or_else(|| {
            let title = if end.timer { "a timer's channel" } else { "a channel" };
            let mut detail = format!("made at {}", Place(end.created_at));
            if !end.timer {
                let held = match end.capacity {
                    0 => "unbuffered".to_owned(),
                    capacity => format!("{} of {capacity} in it", end.len),
                };
                let _ = write!(
                    detail,
                    "; {held}; {}, {}",
                    many(end.senders, "sender"),
                    many(end.receivers, "receiver")
                );
            }
            let node = self.thing(level, title.to_owned(), detail);
            self.places.insert(thing, node);
            node
        });
        self.edge(from, to, verb);
        let (can, verb) = match other {
            Half::Send => ("may send", "sender"),
            Half::Receive => ("may receive", "receiver"),
        };
        for handles in end.handles.iter().filter(|it| it.half == other) {
            for user in &handles.users {
                // One that has ended has given it away, or it would be gone.
                if self.tasks.contains_key(user) {
                    let what =
                        format!("{can}: used a {verb} made at {}", Place(handles.created_at));
                    let task = self.task(*user, level + 1);
                    self.edge(to, task, &what);
                }
            }
        }
    }

    /// The task's node; its waits are followed if it is new.
    fn task(&mut self, id: TaskId, level: i32) -> usize {
        if let Some(&node) = self.places.get(&Thing::Task(id)) {
            return node;
        }
        let info = self.tasks.get(&id).copied();
        let kind = info.map_or(Kind::Task, |info| info.kind);
        let kind = if kind == Kind::Task { "task" } else { "thread" };
        let name = info.and_then(|info| info.name.as_deref());
        let title = match name {
            Some(name) => format!("{kind} {id} \u{201c}{name}\u{201d}"),
            None => format!("{kind} {id}"),
        };
        let (detail, status) = match info {
            None => ("has ended".to_owned(), "dead"),
            Some(info) => {
                let status = super::shown(info.status).as_str();
                let detail = match info.wait {
                    Some(wait) => format!("{} at {}", wait.reason.as_str(), Place(wait.site)),
                    None => status.to_owned(),
                };
                (detail, status)
            }
        };
        let node = self.push(Node { task: info.map(|_| id), level, title, detail, status });
        self.places.insert(Thing::Task(id), node);
        if level >= 0 && node < MOST {
            self.next.push(id);
        }
        node
    }

    fn thing(&mut self, level: i32, title: String, detail: String) -> usize {
        self.push(Node { task: None, level, title, detail, status: "" })
    }

    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn edge(&mut self, from: usize, to: usize, what: &str) {
        self.edges.push((from, to, what.to_owned()));
    }
}

fn many(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
