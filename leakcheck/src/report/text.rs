//! The report as a person reads it: first what they need to find the cause,
//! in the shape of the compiler's own messages, then the Go-format dump.

use std::fmt::{self, Display, Formatter};
use std::panic::Location;
use std::time::Duration;

use gopark::__names::without_closures;
use gopark::inspect::{TaskInfo, WaitReason, source, write_go_dump};
use gopark::{TaskId, UnseenPanic};

use super::colour::Styles;
use super::{Group, Report, State, Subject, Wakers, body, cycle, ends, found, locks, made};

/// Of many different names, numbers or threads this many are listed.
const LISTED: usize = 5;
/// Longer source lines are cut.
const WIDTH: usize = 100;

pub(super) fn write(f: &mut Formatter<'_>, report: &Report, styles: &Styles) -> fmt::Result {
    let Styles { bad, .. } = styles;
    writeln!(f, "{bad}leakcheck: {}{bad:#}", Headline(report))?;
    body::write(f, report)?;
    for (n, cycle) in report.cycles.iter().enumerate() {
        cycle::write(f, n, cycle, report)?;
    }
    for (n, group) in report.groups.iter().enumerate() {
        writeln!(f)?;
        write_group(f, n + 1, group, report, styles)?;
    }
    for (n, panic) in report.panics.iter().enumerate() {
        writeln!(f)?;
        write_panic(f, report.groups.len() + n + 1, panic, report, styles)?;
    }
    if let Some(found) = &report.found {
        found::write(f, found, report.groups.len() + report.panics.len() + 1)?;
    }
    write_dump(f, report)?;
    // Where a leak is reported all the same, it was meant for that, perhaps.
    for (n, rule) in report.idle.iter().enumerate() {
        let lead = if n == 0 { "\n" } else { "" };
        writeln!(f, "{lead}leakcheck: a rule of this check has left nothing out: {rule}")?;
    }
    Ok(())
}

/// `2 tasks leaked by test shop::sells`.
pub(super) struct Headline<'a>(pub(super) &'a Report);

impl Display for Headline<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Headline(report) = self;
        if let Some(ending) = &report.body {
            return body::headline(f, ending, report);
        }
        let leaks = report.tasks.len();
        let panics = report.panics.len();
        let mut leaked = report.found.as_ref().map(found::counts).unwrap_or_default();
        if leaks > 0 {
            leaked.insert(0, Count(leaks, "task").to_string());
        }
        let leaks = leaked.len();
        if leaks > 0 {
            write!(f, "{} leaked", leaked.join(" and "))?;
        }
        if leaks > 0 && panics > 0 {
            f.write_str(" and ")?;
        }
        if panics > 0 {
            write!(f, "{} that nobody joined panicked", Count(panics, "task"))?;
        }
        match &report.subject {
            Subject::Test(name) if panics == 0 => write!(f, " by test {name}"),
            Subject::Test(name) => write!(f, " in test {name}"),
            Subject::Scope(name) => write!(f, " in scope `{name}`"),
            Subject::Root => Ok(()),
        }
    }
}

fn write_group(
    f: &mut Formatter<'_>,
    number: usize,
    group: &Group,
    report: &Report,
    styles: &Styles,
) -> fmt::Result {
    let tasks: Vec<&TaskInfo> = group.members.iter().map(|&index| &report.tasks[index]).collect();
    let first = tasks[0];
    let Styles { strong, .. } = styles;
    let what = what(group.state, &tasks);
    writeln!(f, "{strong}[{number}] {} {what}{strong:#}", Count(tasks.len(), "task"))?;

    let made = format!("made here, by {}", without_closures(first.creator));
    let mut places = vec![Place { at: group.created_at.into(), says: &made }];
    if let Some(at) = group.wait_site {
        places.insert(0, Place { at: at.into(), says: waits(group.state) });
    }
    let margin = Margin::painted(&places, styles);
    margin.write_places(f, &places)?;

    margin.note(f, "runs", first.entry)?;
    let ids: Vec<String> = tasks.iter().map(|task| task.id.to_string()).collect();
    margin.note(f, "task", List { items: &ids, more: "tasks" })?;
    let parents = distinct(tasks.iter().filter_map(|task| task.parent));
    if parents.len() > 1 {
        margin.note(f, "parents", List { items: &parents, more: "parents" })?;
    }
    margin.notes(f, "parent", &made::makers(report, first.parent))?;
    margin.notes(f, "stack", &made::stacks_of(report, group))?;
    let names = distinct(tasks.iter().filter_map(|task| task.name.as_deref()));
    if !names.is_empty() {
        margin.note(f, "name", List { items: &names, more: "names" })?;
    }
    let labels =
        tasks.iter().flat_map(|task| &task.labels).map(|(key, value)| format!("{key}={value}"));
    let labels = distinct(labels);
    if !labels.is_empty() {
        margin.note(f, "labels", List { items: &labels, more: "labels" })?;
    }
    let here = (number - 1, first.id);
    margin.locks(f, report, here, &tasks)?;
    margin.notes(f, "for", &ends::lines(report, number - 1, group))?;
    if tasks.iter().all(|task| report.doomed.contains(&task.id)) {
        return margin.note(f, "why", cycle::Caught { tasks: &tasks, report });
    }
    margin.note(f, "why", Why { group, report })
}

/// What the tasks of a group do, and since when.
pub(super) fn what(state: State, tasks: &[&TaskInfo]) -> String {
    let ages = tasks.iter().filter_map(|task| task.wait.as_ref()).map(|wait| wait.age);
    let since = match (ages.clone().min(), ages.max()) {
        (Some(youngest), Some(oldest))
            if Time(youngest).to_string() != Time(oldest).to_string() =>
        {
            format!(" for {} to {}", Time(youngest), Time(oldest))
        }
        (_, Some(oldest)) => format!(" for {}", Time(oldest)),
        _ => String::new(),
    };
    match state {
        State::Blocked(reason) => format!("blocked in `{}`{since}", reason.as_str()),
        State::Timed(WaitReason::Sleep) => format!("sleeping{since}"),
        State::Timed(reason) => format!("waiting in `{}` with a timeout{since}", reason.as_str()),
        State::Parked(reason) => format!("waiting in `{}`{since}", reason.as_str()),
        State::Running => "still running".to_owned(),
        State::Ready => "ready to run, but without a processor".to_owned(),
        State::Syscall => "in a blocking call".to_owned(),
    }
}

fn waits(state: State) -> &'static str {
    match state {
        State::Timed(WaitReason::Sleep) => "sleeps here",
        State::Syscall => "blocks here",
        _ => "waits here",
    }
}

/// Why the tasks of a group will not wake, or what may yet wake them.
pub(super) struct Why<'a> {
    pub(super) group: &'a Group,
    pub(super) report: &'a Report,
}

impl Display for Why<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Why { group, report } = self;
        let after = Time(report.after);
        let wakers = &report.wakers;
        match group.state {
            State::Blocked(_) if wakers.none() => {
                let them = if group.members.len() == 1 { "it" } else { "them" };
                let whose = match report.subject {
                    Subject::Test(_) => " of the test",
                    Subject::Scope(_) => " of the scope",
                    Subject::Root => "",
                };
                write!(f, "nothing can wake {them}: no other task{whose} runs, sleeps or waits ")?;
                write!(
                    f,
                    "for IO, no timer is set, and no task or thread outside could reach {them}"
                )
            }
            State::Blocked(_) => {
                // Who has gone on meanwhile, and was blocked anew, is not blocked *still*.
                let waits = group.members.iter().filter_map(|&n| report.tasks[n].wait.as_ref());
                let anew =
                    waits.map(|wait| wait.age).min().is_some_and(|age| age < report.after / 2);
                match anew {
                    true => write!(f, "did not end in the {after} that the check waited")?,
                    false => write!(f, "still blocked after {after}")?,
                }
                write!(f, "; may yet be woken by {wakers}")
            }
            State::Timed(_) => {
                let waits =
                    group.members.iter().filter_map(|&index| report.tasks[index].wait.as_ref());
                match waits.filter_map(|wait| wait.left).min() {
                    Some(left) if left > report.after => {
                        write!(f, "wakes by itself, but only in {}", Time(left))
                    }
                    _ => write!(
                        f,
                        "wakes by itself, but did not end in the {after} that the check waited"
                    ),
                }
            }
            State::Parked(_) => write!(f, "did not end in the {after} that the check waited"),
            State::Running => write!(f, "did not end or park in the {after} that the check waited"),
            // That may be how it was found only, between two times at which it ran.
            State::Ready => {
                write!(f, "did not end in the {after} that the check waited")?;
                f.write_str(", and had no processor when they were over")
            }
            State::Syscall => write!(f, "did not return in the {after} that the check waited"),
        }
    }
}

impl Display for Wakers {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        let mut part = |count: usize, one: &str, more: &str| match count {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            n => parts.push(format!("{n} {more}")),
        };
        part(self.running, "running task of the scope", "running tasks of the scope");
        part(self.timed, "task of the scope with a timer", "tasks of the scope with a timer");
        part(
            self.other,
            "task of the scope that waits for no task",
            "tasks of the scope that wait for no task",
        );
        part(self.timers, "timer that is set", "timers that are set");
        part(self.outside, "task or thread outside", "tasks or threads outside");
        if !self.foreign.is_empty() {
            let mut names = self.foreign.clone();
            names.iter_mut().for_each(|name| *name = format!("`{name}`"));
            names.sort();
            let names = List { items: &names, more: "threads" };
            parts.push(format!(
                "{} that the runtime does not know ({names})",
                Count(self.foreign.len(), "thread")
            ));
        }
        f.write_str(&parts.join(", "))
    }
}

fn write_panic(
    f: &mut Formatter<'_>,
    number: usize,
    panic: &UnseenPanic,
    report: &Report,
    styles: &Styles,
) -> fmt::Result {
    let Styles { strong, .. } = styles;
    writeln!(f, "{strong}[{number}] 1 task panicked, and nobody joined it{strong:#}")?;
    let places = [Place { at: panic.created_at.into(), says: "made here" }];
    let margin = Margin::painted(&places, styles);
    margin.write_places(f, &places)?;
    margin.note(f, "says", panic.message.replace('\n', "\n             "))?;
    margin.note(f, "runs", panic.entry)?;
    margin.note(f, "task", panic.task)?;
    margin.notes(f, "parent", &made::makers(report, panic.parent))?;
    let stacks = made::stacks(report, panic.creation_stack.as_ref(), panic.parent);
    margin.notes(f, "stack", &stacks)?;
    match &panic.name {
        Some(name) => margin.note(f, "name", name),
        None => Ok(()),
    }
}

/// A place in the source, and what is to be said of it.
pub(super) struct Place<'a> {
    pub(super) at: Spot<'a>,
    pub(super) says: &'a str,
}

/// A place in the source, wherever it is known from.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Spot<'a> {
    pub(super) file: &'a str,
    pub(super) line: u32,
    pub(super) column: u32,
}

impl From<&'static Location<'static>> for Spot<'static> {
    fn from(at: &'static Location<'static>) -> Spot<'static> {
        Spot { file: at.file(), line: at.line(), column: at.column() }
    }
}

impl Display for Spot<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The width of the line numbers, by which a block is aligned.
#[derive(Clone, Copy)]
pub(super) struct Margin<'a> {
    pub(super) width: usize,
    styles: &'a Styles,
}

impl<'a> Margin<'a> {
    pub(super) fn of(places: &[Place<'_>]) -> Margin<'static> {
        Margin::painted(places, &Styles::PLAIN)
    }

    fn painted(places: &[Place<'_>], styles: &'a Styles) -> Margin<'a> {
        let widths = places.iter().map(|place| place.at.line.to_string().len());
        Margin { width: widths.max().unwrap_or(1), styles }
    }

    /// Shows places as the compiler does, with their source lines if those can
    /// be read.
    pub(super) fn write_places(self, f: &mut Formatter<'_>, places: &[Place<'_>]) -> fmt::Result {
        let Margin { width: margin, styles: Styles { line: blue, bad, .. } } = self;
        let lines: Vec<Option<String>> =
            places.iter().map(|place| source_line(&place.at)).collect();
        let indent = |line: &String| line.chars().take_while(|c| c.is_whitespace()).count();
        let common = lines.iter().flatten().map(indent).min().unwrap_or(0);
        let mut above: Option<(&str, u32)> = None;
        for (place, line) in places.iter().zip(&lines) {
            let Place { at, says } = place;
            let here = (at.file, at.line);
            let arrow = if above.is_none() { "-->" } else { ":::" };
            if above != Some(here) {
                writeln!(f, "{:margin$}{blue}{arrow}{blue:#} {at}", "")?;
                writeln!(f, "{:margin$} {blue}|{blue:#}", "")?;
                if let Some(line) = line {
                    writeln!(f, "{blue}{:>margin$} |{blue:#} {}", at.line, cut(line, common))?;
                }
            }
            match (line, (at.column as usize).checked_sub(common + 1)) {
                (Some(_), Some(column)) if column < WIDTH => {
                    writeln!(
                        f,
                        "{:margin$} {blue}|{blue:#} {:column$}{bad}^ {says}{bad:#}",
                        "", ""
                    )?;
                }
                _ => writeln!(f, "{:margin$} {blue}|{blue:#} {bad}{says}{bad:#}", "")?,
            }
            above = Some(here);
        }
        writeln!(f, "{:margin$} {blue}|{blue:#}", "")
    }

    pub(super) fn note(self, f: &mut Formatter<'_>, key: &str, value: impl Display) -> fmt::Result {
        let Margin { width: margin, styles: Styles { line: blue, .. } } = self;
        writeln!(f, "{:margin$} {blue}={blue:#} {:<8}{value}", "", format!("{key}:"))
    }

    /// The locks that tasks wait for, and those that others wait for, which they have.
    pub(super) fn locks(
        self,
        f: &mut Formatter<'_>,
        report: &Report,
        here: (usize, TaskId),
        tasks: &[&TaskInfo],
    ) -> fmt::Result {
        for (key, items, more) in [
            ("locked", locks::owners(report, here, tasks), "owners"),
            ("behind", locks::askers(report, here, tasks), "writers"),
        ] {
            if !items.is_empty() {
                self.note(f, key, List { items: &items, more })?;
            }
        }
        self.notes(f, "holds", &locks::held(report, here, tasks))
    }

    /// A note of several lines, or none.
    pub(super) fn notes(self, f: &mut Formatter<'_>, key: &str, lines: &[String]) -> fmt::Result {
        let Some((first, more)) = lines.split_first() else { return Ok(()) };
        self.note(f, key, first)?;
        more.iter().try_for_each(|line| writeln!(f, "{:1$}{line}", "", self.width + 11))
    }
}

/// A line without the indentation that it shares with others, and not too long.
fn cut(line: &str, indent: usize) -> String {
    // One column each, so that what is pointed at stays above the mark.
    let mut shown: String =
        line.trim_end().chars().skip(indent).map(|c| if c == '\t' { ' ' } else { c }).collect();
    if let Some((end, _)) = shown.char_indices().nth(WIDTH) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

/// The line with its indentation, without which no column can be pointed at.
fn source_line(at: &Spot<'_>) -> Option<String> {
    let text = std::fs::read_to_string(source::find(at.file)?).ok()?;
    let line = text.lines().nth(at.line.checked_sub(1)? as usize)?;
    Some(line.to_owned())
}

/// The dump of the test itself, if it hangs, and of the leaked tasks, the first one only
/// of a large group.
fn write_dump(f: &mut Formatter<'_>, report: &Report) -> fmt::Result {
    body::write_dump(f, report)?;
    if report.dumped.is_empty() {
        return Ok(());
    }
    let tasks: Vec<_> = report.dumped.iter().map(|&index| report.tasks[index].clone()).collect();
    writeln!(f)?;
    write_go_dump(f, &tasks)?;
    let left_out = report.tasks.len() - tasks.len();
    if left_out > 0 {
        writeln!(f, "\n({} left out of the dump: equal to one above)", Count(left_out, "task"))?;
    }
    Ok(())
}

pub(super) fn distinct<T: Display + Ord>(items: impl Iterator<Item = T>) -> Vec<String> {
    let mut items: Vec<T> = items.collect();
    items.sort();
    items.dedup();
    items.iter().map(T::to_string).collect()
}

/// A number and its noun.
pub(super) struct Count<'a>(pub(super) usize, pub(super) &'a str);

impl Display for Count<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Count(n, noun) = self;
        write!(f, "{n} {noun}{}", if *n == 1 { "" } else { "s" })
    }
}

/// The first few of many.
pub(super) struct List<'a> {
    pub(super) items: &'a [String],
    /// What many of them are called.
    pub(super) more: &'static str,
}

impl Display for List<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let List { items, more } = self;
        f.write_str(&items[..items.len().min(LISTED)].join(", "))?;
        match items.len() {
            n if n > LISTED => write!(f, ", … ({n} {more})"),
            _ => Ok(()),
        }
    }
}

/// A duration in the unit that suits it.
pub(super) struct Time(pub(super) Duration);

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Time(time) = self;
        match time.as_millis() {
            0 => f.write_str("less than 1 ms"),
            ms @ 1..1_000 => write!(f, "{ms} ms"),
            ms @ 1_000..10_000 if ms % 1_000 >= 100 => {
                write!(f, "{}.{} s", ms / 1_000, ms % 1_000 / 100)
            }
            1_000..60_000 => write!(f, "{} s", time.as_secs()),
            _ => write!(f, "{} min {} s", time.as_secs() / 60, time.as_secs() % 60),
        }
    }
}
