//! Who has been blocked for long: what LeakProf finds in the profiles of Go programs.
//!
//! Tasks that wait where only others can wake them, for longer than some minutes, are counted
//! by the place where they wait. A leak in a running program is a place where they become more
//! and more, so each look is compared with the one before that asked for the same.

use super::normal::Level;
use crate::inspect::{Kind, Snapshot, TaskInfo, Wait, WaitReason, source};
use crate::sync::Mutex;
use core::panic::Location;
use std::collections::HashMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Where they wait, and what for; which function they run, and where they were made.
type Place = (WaitReason, &'static Location<'static>, &'static str, &'static Location<'static>);

/// The last look for each time that was asked for, the latest at the end.
pub(super) struct Looks(Mutex<Vec<Look>>);

/// Who asks for more times than these is told of the first look again.
const TIMES: usize = 8;

struct Look {
    at: Instant,
    longer_than: Duration,
    places: HashMap<Place, usize>,
}

struct Group<'a> {
    count: usize,
    /// One that has waited as long as any.
    like: &'a TaskInfo,
    age: Duration,
}

impl Looks {
    pub(super) fn new() -> Looks {
        Looks(Mutex::new(Vec::new()))
    }

    /// What is to be seen now.
    pub(super) fn look(&self, longer_than: Duration) -> String {
        let all = Snapshot::all();
        let places = group(&all.tasks, longer_than);
        let counts = places.iter().map(|(place, group)| (*place, group.count)).collect();
        let now = Look { at: Instant::now(), longer_than, places: counts };
        let before = self.replace(now);
        let tasks = all.tasks.iter().filter(|task| task.kind == Kind::Task).count();
        report(all.tasks.len(), tasks, &places, longer_than, before.as_ref())
    }

    /// The one before that can be compared: what was counted otherwise cannot.
    fn replace(&self, now: Look) -> Option<Look> {
        let mut looks = self.0.lock();
        let same = looks.iter().position(|look| look.longer_than == now.longer_than);
        let before = same.map(|same| looks.remove(same));
        if looks.len() == TIMES {
            looks.remove(0);
        }
        looks.push(now);
        before
    }
}

/// Whether it has waited for so long where only others can wake it.
///
/// A thread that waits for a task's end is not stuck: if anything is, the task. The main
/// thread does so under [`run`](crate::run) as long as the program lives.
pub(super) fn is_blocked(task: &TaskInfo, longer_than: Duration) -> bool {
    let counts = |wait: Wait| {
        let joins = task.kind == Kind::Thread && wait.reason == WaitReason::Join;
        wait.age >= longer_than && !joins
    };
    task.durably_blocked() && !task.daemon && task.wait.is_some_and(counts)
}

fn group(tasks: &[TaskInfo], longer_than: Duration) -> Vec<(Place, Group<'_>)> {
    let mut places: HashMap<Place, Group<'_>> = HashMap::new();
    for task in tasks.iter().filter(|task| is_blocked(task, longer_than)) {
        let Some(wait) = task.wait else { continue };
        let place = (wait.reason, wait.site, task.entry, task.created_at);
        let group = places.entry(place).or_insert(Group { count: 0, like: task, age: wait.age });
        group.count += 1;
        if wait.age > group.age {
            (group.age, group.like) = (wait.age, task);
        }
    }
    let mut places: Vec<_> = places.into_iter().collect();
    places.sort_by_key(|(_, group)| std::cmp::Reverse((group.count, group.age)));
    places
}

fn report(
    all: usize,
    tasks: usize,
    places: &[(Place, Group<'_>)],
    longer_than: Duration,
    before: Option<&Look>,
) -> String {
    let blocked: usize = places.iter().map(|(_, group)| group.count).sum();
    let minutes = longer_than.as_secs() / 60;
    let mut text = format!(
        "{} blocked for {} or longer, at {}; {} in all\n",
        many(blocked, "task"),
        many(minutes as usize, "minute"),
        many(places.len(), "place"),
        many(all, "task"),
    );
    let level = Level::of(tasks);
    if level.is_warning() {
        let _ = writeln!(text, "WARNING: {tasks} tasks live; so many are {}", level.meaning);
    }
    // Writing to a string does not fail.
    let _ = match before {
        Some(look) => writeln!(text, "compared with the look {} ago", age(look.at.elapsed())),
        None => writeln!(text, "the first look; the next one shows where there are more"),
    };
    let mut gone = before.map_or_else(HashMap::new, |look| look.places.clone());
    for (place, group) in places {
        let had = gone.remove(place).unwrap_or(0);
        let growth = match before {
            Some(_) => format!("{:+}", group.count as i64 - had as i64),
            None => String::new(),
        };
        let (reason, site, entry, created_at) = place;
        let _ = write!(
            text,
            "\n{:7} {growth:>6}  {} at {}:{}, the longest for {} (task {})\n{:15} {entry}\n",
            group.count,
            reason.as_str(),
            source::absolute(site),
            site.line(),
            age(group.age),
            group.like.id,
            "",
        );
        // Who has made a thread is not known.
        if group.like.kind == Kind::Task {
            let (file, line) = (source::absolute(created_at), created_at.line());
            let creator = group.like.creator;
            let _ = writeln!(text, "{:15} created by {creator} at {file}:{line}", "");
        }
    }
    let mut gone: Vec<_> = gone.into_iter().collect();
    gone.sort_by_key(|(place, count)| (std::cmp::Reverse(*count), place.1.file(), place.1.line()));
    for ((reason, site, ..), count) in gone {
        let (file, line) = (source::absolute(site), site.line());
        let growth = format!("-{count}");
        let _ = write!(text, "\n{:7} {growth:>6}  {} at {file}:{line}\n", 0, reason.as_str());
    }
    text
}

fn many(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn age(of: Duration) -> String {
    match of.as_secs() {
        seconds @ 0..60 => many(seconds as usize, "second"),
        seconds => many(seconds as usize / 60, "minute"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_compared_with_those_for_the_same_time() {
        let looks = Looks::new();
        let look = |minutes: u64| {
            let longer_than = Duration::from_secs(60 * minutes);
            let now = Look { at: Instant::now(), longer_than, places: HashMap::new() };
            looks.replace(now).map(|before| before.longer_than.as_secs() / 60)
        };
        assert_eq!([look(0), look(10), look(0), look(10)], [None, None, Some(0), Some(10)]);
        // There is room for so many; the one that was not asked for longest goes.
        assert!((1..8).all(|minutes| look(minutes).is_none()));
        assert_eq!([look(10), look(0)], [Some(10), None]);
        assert_eq!(looks.0.lock().len(), TIMES);
    }
}
