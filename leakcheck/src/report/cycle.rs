//! Locks whose owners wait for each other, drawn until the ring closes.

use std::fmt::{self, Display, Formatter};

use gopark::TaskId;
use gopark::inspect::{TaskInfo, WaitReason};

use super::text::{Margin, Place};
use super::{Report, locks};
use crate::cycle::{Cycle, Link};

/// A block for one ring.
pub(super) fn write(
    f: &mut Formatter<'_>,
    number: usize,
    cycle: &Cycle,
    report: &Report,
) -> fmt::Result {
    let links = in_order(cycle, report);
    let sign = if report.cycles.len() > 1 { format!(" {}", number + 1) } else { String::new() };
    writeln!(f)?;
    let names = Names::of(&links, report);
    let what = match (links.len(), names.locks.len()) {
        (1, _) => "a lock that its owner waits for".to_owned(),
        (_, 1) => "a lock whose reader and writer wait for each other".to_owned(),
        (_, n) => format!("{n} locks whose owners wait for each other"),
    };
    writeln!(f, "[deadlock{sign}] {what}")?;
    let texts: Vec<[String; 2]> = links.iter().map(|link| names.says(link)).collect();
    // In the order in which things happened: taken first, waited for later.
    let mut places: Vec<Place<'_>> = Vec::new();
    for (link, [waits, has]) in links.iter().zip(&texts) {
        places.push(Place { at: link.wait.site.into(), says: waits });
        // Where a writer asks it waits, and its own link says so.
        if !locks::only_asks(report, link.wait.lock, link.holder) {
            places.push(Place { at: link.holder.site.into(), says: has });
        }
    }
    let margin = Margin::of(&places);
    margin.write_places(f, &places)?;
    let ring: Vec<String> = links
        .iter()
        .map(|link| format!("{} → {}", names.task(link.wait.id), names.lock(link)))
        .collect();
    let first = names.task(links[0].wait.id);
    margin.note(f, "ring", format_args!("{} → {first}", ring.join(" → ")))?;
    let why = match (links.len(), names.locks.len()) {
        (1, _) => "it would have to give it back first, and nobody else can",
        (_, 1) => {
            "who reads already waits to read again, behind a writer that waits for it to let go"
        }
        _ => "each has what the one before it waits for, and nobody else can give it back",
    };
    margin.note(f, "why", why)?;
    match report.others {
        0 => Ok(()),
        1 => margin.note(f, "beside", "1 task of the scope that was not waited for"),
        n => margin.note(
            f,
            "beside",
            format_args!("{n} tasks of the scope that were not waited for"),
        ),
    }
}

/// The test itself first, else the oldest task.
fn in_order<'a>(cycle: &'a Cycle, report: &Report) -> Vec<&'a Link> {
    let mut links: Vec<&Link> = cycle.links.iter().collect();
    let rank = |link: &Link| (!is_body(link.wait.id, report), link.wait.id);
    if let Some(first) = (0..links.len()).min_by_key(|&at| rank(links[at])) {
        links.rotate_left(first);
    }
    links
}

fn is_body(task: TaskId, report: &Report) -> bool {
    use super::Ending::{LeftAlone, Unwound};
    match &report.body {
        Some(Unwound(info) | LeftAlone(info, _)) => info.id == task,
        None => false,
    }
}

/// What tasks and locks are called in the drawing.
struct Names<'a> {
    report: &'a Report,
    /// Their letters are their places here.
    locks: Vec<usize>,
}

impl<'a> Names<'a> {
    fn of(links: &[&Link], report: &'a Report) -> Names<'a> {
        let mut locks: Vec<usize> = Vec::new();
        for link in links {
            if !locks.contains(&link.wait.lock.address) {
                locks.push(link.wait.lock.address);
            }
        }
        Names { report, locks }
    }

    fn task(&self, task: TaskId) -> String {
        if is_body(task, self.report) {
            return "the test".to_owned();
        }
        let named = self.report.tasks.iter().find(|it| it.id == task);
        match named.and_then(|it| it.name.as_deref()) {
            Some(name) => format!("task {task} (`{name}`)"),
            None => format!("task {task}"),
        }
    }

    /// `mutex A`; the readers and the writer of one lock wait for the same one.
    fn lock(&self, link: &Link) -> String {
        let kind = locks::kind(link.wait.reason);
        let at = self.locks.iter().position(|lock| *lock == link.wait.lock.address);
        match at.and_then(|at| u8::try_from(at).ok()).filter(|at| *at < 26) {
            Some(at) if self.locks.len() > 1 => format!("{kind} {}", char::from(b'A' + at)),
            Some(_) => format!("the {kind}"),
            None => format!("{kind} at {:#x}", link.wait.lock.address),
        }
    }

    /// What stands at the place of the wait, and where the lock was taken.
    fn says(&self, link: &Link) -> [String; 2] {
        let (waits, has) = (self.task(link.wait.id), self.task(link.holder.task));
        let has = if link.wait.id == link.holder.task { "which it has itself" } else { &has };
        let lock = self.lock(link);
        let reads = link.wait.lock.readers.iter().flatten().any(|it| *it == link.holder);
        let (wish, deed) = match link.wait.reason {
            WaitReason::RwLockRead => ("to read", "took it to write here"),
            WaitReason::RwLockWrite if reads => ("to write", "reads since here"),
            WaitReason::RwLockWrite => ("to write", "took it to write here"),
            WaitReason::OnceDo => ("for", "does it since here"),
            _ => ("for", "took it here"),
        };
        let wish = if wish == "for" { format!("for {lock}") } else { format!("{wish} {lock}") };
        let twice = link.wait.id == link.holder.task && link.wait.site == link.holder.site;
        let deed = if twice { format!("{deed}, earlier") } else { deed.to_owned() };
        match link.wait.id == link.holder.task {
            true => [format!("{waits} waits {wish} here, {has}"), format!("{waits} {deed}")],
            false => [format!("{waits} waits {wish} here"), format!("{has} {deed}")],
        }
    }
}

/// Why tasks will not wake that wait for a lock of a ring.
pub(super) struct Caught<'a> {
    pub(super) tasks: &'a [&'a TaskInfo],
    pub(super) report: &'a Report,
}

impl Display for Caught<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let inside = |task: &&&TaskInfo| self.report.cycles.iter().any(|it| it.has(task.id));
        let (one, which) = match (self.tasks.len(), self.tasks.iter().all(|it| inside(&it))) {
            (1, true) => ("it is", "part of the deadlock above"),
            (_, true) => ("they are", "part of the deadlock above"),
            (1, false) => ("it waits", "behind the deadlock above"),
            (_, false) => ("they wait", "behind the deadlock above"),
        };
        write!(f, "{one} {which}, which nothing ends")
    }
}
