//! The test itself, when it is what hangs.

use std::fmt::{self, Display, Formatter};

use gopark::inspect::{Status, TaskInfo, WaitReason, write_go_dump};

use super::text::{Count, Margin, Place, Time, what};
use super::{Ending, Report, State, Subject, ends};

/// `test shop::sells hangs in `chan receive`, and 2 tasks of it`.
pub(super) fn headline(f: &mut Formatter<'_>, ending: &Ending, report: &Report) -> fmt::Result {
    let whose = match &report.subject {
        Subject::Test(name) => format!("test {name}"),
        Subject::Scope(name) => format!("what runs in scope `{name}`"),
        Subject::Root => "what runs in no scope".to_owned(),
    };
    match ending {
        Ending::Unwound(info) => {
            write!(f, "{whose} hangs")?;
            if let Some(wait) = &info.wait {
                write!(f, " in `{}`", wait.reason.as_str())?;
            }
        }
        Ending::LeftAlone(_, since) => write!(f, "{whose} has not moved for {}", Time(*since))?,
    }
    if !report.tasks.is_empty() {
        write!(f, ", and {} of it", Count(report.tasks.len(), "task"))?;
    }
    if !report.panics.is_empty() {
        write!(f, "; {} that nobody joined panicked", Count(report.panics.len(), "task"))?;
    }
    Ok(())
}

/// The block that comes before those of the tasks; nothing if the test is over.
pub(super) fn write(f: &mut Formatter<'_>, report: &Report) -> fmt::Result {
    let Some(ending) = &report.body else { return Ok(()) };
    let (Ending::Unwound(info) | Ending::LeftAlone(info, _)) = ending;
    let state = State::of(info);
    writeln!(f)?;
    let margin = match (&info.wait, info.call) {
        (Some(wait), _) => {
            writeln!(f, "[test] {}", what(state, &[&**info]))?;
            place(f, wait.site, "the test itself waits here")?
        }
        (None, Some(site)) => {
            writeln!(f, "[test] in a blocking call")?;
            place(f, site, "the test itself blocks here")?
        }
        (None, None) => {
            writeln!(f, "[test] blocked outside of the runtime")?;
            Margin::of(&[])
        }
    };
    // What a ring consists of, its drawing shows.
    if !report.cycles.iter().any(|cycle| cycle.has(info.id)) {
        margin.locks(f, report, (ends::BODY, info.id), &[info])?;
        margin.notes(f, "for", &ends::of_task(report, ends::BODY, info))?;
    }
    margin.note(f, "why", Why { ending, info, report })
}

/// The test's frames, as far as they are the test's: not those of whoever has called it.
pub(super) fn write_dump(f: &mut Formatter<'_>, report: &Report) -> fmt::Result {
    let Some(body) = report.body().filter(|body| body.trace.is_some()) else { return Ok(()) };
    let mut dump = String::new();
    write_go_dump(&mut dump, std::slice::from_ref(body))?;
    write!(f, "\n{}", without_callers(&dump))
}

/// A dump of one thread without the frames, of two lines each, that are outside of the
/// test: from the check on that has called it, or from the mark which std and libtest set
/// for that, and what std has put in between.
fn without_callers(dump: &str) -> String {
    let mut lines: Vec<&str> = dump.lines().collect();
    let outside = |line: &&str| {
        line.starts_with("leakcheck::") || line.contains("__rust_begin_short_backtrace")
    };
    if let Some(outside) = lines.iter().position(outside) {
        lines.truncate(outside);
        let is_std = |function: &str| {
            let path = function.trim_start_matches(['<', '&']);
            ["std::", "core::", "alloc::"].iter().any(|it| path.starts_with(it))
        };
        // The state comes first, and one frame stays.
        while lines.len() > 3 && is_std(lines[lines.len() - 2]) {
            lines.truncate(lines.len() - 2);
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn place(
    f: &mut Formatter<'_>,
    at: &'static std::panic::Location<'static>,
    says: &str,
) -> Result<Margin<'static>, fmt::Error> {
    let places = [Place { at: at.into(), says }];
    let margin = Margin::of(&places);
    margin.write_places(f, &places)?;
    Ok(margin)
}

pub(super) struct Why<'a> {
    pub(super) ending: &'a Ending,
    pub(super) info: &'a TaskInfo,
    pub(super) report: &'a Report,
}

impl Display for Why<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Why { ending, info, report } = self;
        let wakers = &report.wakers;
        if let Ending::Unwound(_) = ending {
            return if report.cycles.iter().any(|cycle| cycle.has(info.id)) {
                f.write_str("it is part of the deadlock below, which nothing ends")
            } else if report.doomed.contains(&info.id) {
                f.write_str("it waits behind the deadlock below, which nothing ends")
            } else if report.cycles.is_empty() || report.others == 0 {
                f.write_str("nothing can wake it: every task of the scope is blocked, no timer ")?;
                f.write_str("is set, and no task or thread outside could reach it")
            } else {
                f.write_str("tasks of it wait for each other for ever, as shown below; the test ")?;
                write!(f, "was ended although {} may run on", Count(report.others, "other task"))
            };
        }
        let state = State::of(info);
        match state {
            State::Blocked(_) if wakers.none() => {
                f.write_str("nothing was found that could wake it, but it did not stay so")?;
            }
            State::Blocked(_) => write!(f, "may yet be woken by {wakers}")?,
            State::Timed(_) => match info.wait.and_then(|wait| wait.left) {
                Some(left) => write!(f, "wakes by itself in {}", Time(left))?,
                None => f.write_str("wakes by itself")?,
            },
            State::Parked(WaitReason::BlockOn) => f.write_str("somebody has its waker")?,
            State::Parked(_) => f.write_str("waits for something that is no task's doing")?,
            _ if info.status == Status::Syscall => {
                f.write_str("in a call that the runtime does not know the end of")?;
            }
            _ => {
                f.write_str("its thread stands still in a call of std's, of a C library's or ")?;
                f.write_str("of the kernel's, and what would end that is not known; such a call ")?;
                f.write_str("cannot be unwound")?;
            }
        }
        f.write_str("; it is left alone")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(functions: &[&str]) -> String {
        let frames = functions.iter().map(|function| format!("{function}(...)\n\t/a.rs:1 +0x0\n"));
        format!("goroutine 1 [chan send]:\n{}", frames.collect::<String>())
    }

    #[test]
    fn who_has_called_the_test_is_left_out() {
        let whole = [
            "shop::sells",
            "core::ops::function::FnOnce::call_once",
            "shop::tests::sells::{{closure}}",
            "<core::panic::unwind_safe::AssertUnwindSafe<F> as core::ops::FnOnce>::call_once",
            "leakcheck::case::run",
            "shop::tests::sells",
            "test::__rust_begin_short_backtrace",
            "test::run_test",
        ];
        assert_eq!(without_callers(&dump(&whole)), dump(&whole[..3]));
    }

    #[test]
    fn without_the_mark_all_stays() {
        let main = ["shop::main", "core::ops::function::FnOnce::call_once"];
        assert_eq!(without_callers(&dump(&main)), dump(&main));
        let nothing = ["core::mem::drop", "test::__rust_begin_short_backtrace"];
        assert_eq!(without_callers(&dump(&nothing)), dump(&nothing[..1]));
    }
}
