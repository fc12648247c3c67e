//! Which pages there are, and what is on them.

use super::answer::{Answer, JSON, METRICS, TEXT};
use super::leaks::{Looks, is_blocked};
use super::live::{self, Wanted};
use super::{metrics, trace};
use crate::inspect::{
    Contention, GoDump, Profile, Snapshot, block_profile, cpu_profile, mutex_profile, task_profile,
    threads,
};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// A page, and what of it was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Page {
    Index,
    Goroutine(Form),
    Threads(Form),
    Block(Waits),
    Mutex(Waits),
    Cpu {
        time: Duration,
    },
    Leaks {
        longer_than: Duration,
    },
    /// The page, its numbers, one task.
    Live,
    LiveState {
        longer_than: Duration,
    },
    Task {
        id: u64,
    },
    Tasks(Wanted),
    Metrics,
    Trace {
        time: Duration,
    },
}

/// Go's parameter `debug`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Proto,
    Counts,
    Dump(GoDump),
}

/// A profile of waits: of all there were, or of those in the next time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Waits {
    form: Form,
    time: Option<Duration>,
}

/// For how long somebody has to be blocked to be shown as a leak, if nothing is said.
const MINUTES: u64 = 10;
/// How long a CPU profile and a trace take if nothing is said, or 0, as in Go.
const PROFILE: Duration = Duration::from_secs(30);
const TRACE: Duration = Duration::from_secs(1);
/// How long anything takes at most.
const MOST_SECONDS: u64 = 600;

impl Page {
    pub(super) fn find(path: &str, query: &[(String, String)]) -> Result<Page, Answer> {
        let query = Query(query);
        match path {
            "/" | "/debug" | "/debug/" | "/debug/pprof" | "/debug/pprof/" => Ok(Page::Index),
            "/debug/pprof/goroutine" => {
                Ok(Page::Goroutine(match query.of_now()?.number("debug", 0)? {
                    0 => Form::Proto,
                    1 => Form::Counts,
                    2 => Form::Dump(
                        GoDump::new()
                            .labels(query.flag("labels", false)?)
                            .runtime_frames(query.flag("runtime", false)?)
                            .go_files(query.flag("gofiles", false)?),
                    ),
                    _ => return Err(Answer::refusal(400, "debug is 0, 1 or 2")),
                }))
            }
            "/debug/pprof/threadcreate" => Ok(Page::Threads(query.of_now()?.form()?)),
            "/debug/pprof/block" => Ok(Page::Block(query.waits()?)),
            "/debug/pprof/mutex" => Ok(Page::Mutex(query.waits()?)),
            "/debug/pprof/profile" => Ok(Page::Cpu { time: query.seconds()?.unwrap_or(PROFILE) }),
            "/debug/leaks" => Ok(Page::Leaks { longer_than: query.minutes()? }),
            "/debug/tasks" | "/debug/tasks/" => Ok(Page::Live),
            "/debug/live.json" => Ok(Page::LiveState { longer_than: query.minutes()? }),
            "/debug/task.json" => Ok(Page::Task { id: query.id()? }),
            "/debug/tasks.json" => query.wanted().map(Page::Tasks),
            "/metrics" => Ok(Page::Metrics),
            "/debug/pprof/trace" => Ok(Page::Trace { time: query.seconds()?.unwrap_or(TRACE) }),
            _ => Err(Answer::refusal(404, "there is no such page; /debug/pprof/ lists them")),
        }
    }
}

impl Page {
    /// It is made while others are: it takes its time, and no CPU.
    pub(super) fn is_slow(&self) -> bool {
        match self {
            Page::Cpu { .. } | Page::Trace { .. } => true,
            Page::Block(waits) | Page::Mutex(waits) => waits.time.is_some(),
            _ => false,
        }
    }
}

struct Query<'a>(&'a [(String, String)]);

impl Query<'_> {
    /// Below ten million.
    fn number(&self, key: &str, otherwise: u64) -> Result<u64, Answer> {
        let Some((_, text)) = self.0.iter().find(|(name, _)| name == key) else {
            return Ok(otherwise);
        };
        let number = text.parse().ok();
        number
            .filter(|_| text.len() <= 7 && text.bytes().all(|c| c.is_ascii_digit()))
            .ok_or_else(|| Answer::refusal(400, &format!("{key} wants a number")))
    }

    /// Of a profile that has two.
    fn form(&self) -> Result<Form, Answer> {
        Ok(if self.number("debug", 0)? == 0 { Form::Proto } else { Form::Counts })
    }

    fn waits(&self) -> Result<Waits, Answer> {
        Ok(Waits { form: self.form()?, time: self.seconds()? })
    }

    /// With a fraction, if need be; nothing if they are 0.
    fn seconds(&self) -> Result<Option<Duration>, Answer> {
        let Some(time) = self.option("seconds", seconds, "a number")? else { return Ok(None) };
        if time > Duration::from_secs(MOST_SECONDS) {
            return Err(Answer::refusal(400, &format!("seconds is at most {MOST_SECONDS}")));
        }
        Ok(Some(time).filter(|time| !time.is_zero()))
    }

    /// A page that has no other time: who asks for one is not told of something else.
    fn of_now(&self) -> Result<&Self, Answer> {
        match self.get("seconds") {
            None => Ok(self),
            Some(_) => {
                Err(Answer::refusal(400, "seconds is for block, mutex, profile and trace only"))
            }
        }
    }

    fn flag(&self, key: &str, otherwise: bool) -> Result<bool, Answer> {
        self.number(key, otherwise.into()).map(|number| number != 0)
    }

    fn minutes(&self) -> Result<Duration, Answer> {
        self.number("minutes", MINUTES).map(|minutes| Duration::from_secs(minutes * 60))
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, text)| text.as_str())
    }

    /// What is said has to be understood.
    fn option<T>(
        &self,
        key: &str,
        read: impl Fn(&str) -> Option<T>,
        wants: &str,
    ) -> Result<Option<T>, Answer> {
        let Some(text) = self.get(key) else { return Ok(None) };
        match read(text) {
            Some(value) => Ok(Some(value)),
            None => Err(Answer::refusal(400, &format!("{key} wants {wants}"))),
        }
    }

    /// Numbers of tasks become large.
    fn id(&self) -> Result<u64, Answer> {
        let digits =
            |text: &str| text.parse().ok().filter(|_| text.bytes().all(|c| c.is_ascii_digit()));
        let id = self.option("id", digits, "a task's number")?;
        id.ok_or_else(|| Answer::refusal(400, "id is missing: a task's number"))
    }

    fn wanted(&self) -> Result<Wanted, Answer> {
        let blocked = self.get("minutes").map(|_| self.minutes()).transpose()?;
        let limit = self.get("limit").map(|_| self.number("limit", 0)).transpose()?;
        Ok(Wanted {
            words: Wanted::words(self.get("q").unwrap_or_default()),
            group: self.option("group", Wanted::group, "a group's key")?,
            status: self.option("status", Wanted::status, "a task's state")?,
            blocked,
            limit: limit.map(|limit| limit as usize),
            frames: self.flag("frames", true)?,
        })
    }
}

/// Digits, or some with a fraction of nanoseconds at most.
fn seconds(text: &str) -> Option<Duration> {
    let digits = |text: &str, most| {
        let fits = (1..=most).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
        fits.then(|| text.parse::<u64>().ok()).flatten()
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let nanos = digits(fraction, 9)? * 10_u64.pow(9 - fraction.len() as u32);
    Some(Duration::from_secs(digits(whole, 7)?) + Duration::from_nanos(nanos))
}

/// Computes for long, if there are many tasks.
pub(super) fn make(page: Page, looks: &Looks) -> Answer {
    match page {
        Page::Index => Answer::html(&index()),
        Page::Goroutine(Form::Proto) => file("goroutine", |out| task_profile().profile(out)),
        Page::Goroutine(Form::Counts) => Answer::page(TEXT, task_profile().text()),
        Page::Goroutine(Form::Dump(form)) => {
            Answer::page(TEXT, form.text(&Snapshot::all().with_frames().tasks))
        }
        Page::Threads(Form::Proto) => file("threadcreate", |out| {
            let mut profile = Profile::new("threadcreate");
            profile.add_count(&[], threads() as u64, std::iter::empty());
            profile.finish(out)
        }),
        Page::Threads(_) => {
            let count = threads();
            Answer::page(
                TEXT,
                format!("threadcreate profile: total {count}\n{count} @\n#\t0x0\n\n"),
            )
        }
        Page::Block(waits) => contention("block", waits, block_profile),
        Page::Mutex(waits) => contention("mutex", waits, mutex_profile),
        Page::Cpu { time } => match cpu_profile(time) {
            Ok(profile) => file("profile", |out| profile.profile(out)),
            Err(error) => Answer::refusal(500, &error.to_string()),
        },
        Page::Leaks { longer_than } => Answer::page(TEXT, looks.look(longer_than)),
        Page::Live => Answer::html(live::PAGE),
        Page::LiveState { longer_than } => Answer::page(JSON, live::state(longer_than)),
        Page::Task { id } => match live::task(id) {
            Some(json) => Answer::page(JSON, json),
            None => Answer::refusal(404, "there is no such task, or it has ended"),
        },
        Page::Tasks(wanted) => Answer::page(JSON, wanted.find()),
        Page::Metrics => Answer::page(METRICS, metrics::text()),
        Page::Trace { time } => trace::take(time),
    }
}

fn contention(name: &'static str, waits: Waits, profile: fn() -> Contention) -> Answer {
    let profile = match waits.time {
        None => profile(),
        Some(time) => {
            let (before, start) = (profile(), Instant::now());
            std::thread::sleep(time);
            profile().since(&before, start.elapsed())
        }
    };
    match waits.form {
        Form::Proto => file(name, |out| profile.profile(out)),
        _ => Answer::page(TEXT, profile.text()),
    }
}

fn file(name: &'static str, write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Answer {
    let mut body = Vec::new();
    match write(&mut body) {
        Ok(()) => Answer::file(name, body),
        Err(error) => Answer::refusal(500, &error.to_string()),
    }
}

fn index() -> String {
    let tasks = Snapshot::all().tasks;
    let blocked = tasks.iter().filter(|task| is_blocked(task, Duration::ZERO)).count();
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>/debug/pprof/</title>\n\
         <style nonce=\"{nonce}\">:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;margin:2rem}\
         td{padding:.1rem 1rem .1rem 0}td:first-child{text-align:right}</style>\n\
         <h1>/debug/pprof/</h1>\n<table>\n",
    );
    let entries = [
        (Some(tasks.len()), "/debug/pprof/goroutine?debug=1", "goroutine", "equal stacks, counted"),
        (
            Some(tasks.len()),
            "/debug/pprof/goroutine?debug=2",
            "full goroutine stack dump",
            "every task",
        ),
        (Some(threads()), "/debug/pprof/threadcreate?debug=1", "threadcreate", "threads"),
        (
            None,
            "/debug/pprof/block?debug=1",
            "block",
            "waits by place, while inspect::set_block_profile_rate is on",
        ),
        (
            None,
            "/debug/pprof/mutex?debug=1",
            "mutex",
            "unlocks that others have waited for, while inspect::set_mutex_profile_fraction is on",
        ),
        (None, "/debug/pprof/profile?seconds=30", "profile", "what is computed, by all threads"),
        (None, "/debug/pprof/trace?seconds=5", "trace", "what happens, for `go tool trace`"),
        (
            Some(blocked),
            "/debug/leaks?minutes=0",
            "leaks",
            "blocked tasks by place; minutes=N: for so long",
        ),
        (Some(tasks.len()), "/debug/tasks", "tasks", "the live page"),
        (None, "/debug/tasks.json", "tasks.json", "every task, as JSON"),
        (None, "/metrics", "metrics", "for Prometheus"),
    ];
    for (count, path, name, what) in entries {
        let count = count.map_or(String::new(), |count| count.to_string());
        // Writing to a string does not fail.
        let _ = writeln!(page, "<tr><td>{count}<td><a href=\"{path}\">{name}</a><td>{what}");
    }
    page.push_str(
        "</table>\n<p>For <code>go tool pprof</code>: <a href=\"/debug/pprof/goroutine\">\
         /debug/pprof/goroutine</a>\n</html>\n",
    );
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(path: &str, query: &[(&str, &str)]) -> Result<Page, u16> {
        let query: Vec<_> = query.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Page::find(path, &query).map_err(|refusal| refusal.status())
    }

    #[test]
    fn parameters_are_understood_or_refused() {
        let goroutine = |debug| find("/debug/pprof/goroutine", &[("debug", debug)]);
        assert_eq!(find("/debug/pprof/goroutine", &[]), Ok(Page::Goroutine(Form::Proto)));
        assert_eq!(goroutine("0"), Ok(Page::Goroutine(Form::Proto)));
        assert_eq!(goroutine("1"), Ok(Page::Goroutine(Form::Counts)));
        assert_eq!(goroutine("2"), Ok(Page::Goroutine(Form::Dump(GoDump::new()))));
        for wrong in ["3", "", "x", "+1", "-1", "99999999999999999999999"] {
            assert_eq!(goroutine(wrong), Err(400), "{wrong}");
        }
        let leaks = |minutes| find("/debug/leaks", &[("minutes", minutes)]);
        assert_eq!(leaks("0"), Ok(Page::Leaks { longer_than: Duration::ZERO }));
        assert!(leaks("9999999").is_ok());
        assert_eq!(leaks("99999999"), Err(400));
        let trace = |seconds| find("/debug/pprof/trace", &[("seconds", seconds)]);
        assert_eq!(trace("0"), Ok(Page::Trace { time: Duration::from_secs(1) }));
        assert_eq!(trace("600"), Ok(Page::Trace { time: Duration::from_secs(600) }));
        assert_eq!(trace("601"), Err(400));
        assert_eq!(trace("600.1"), Err(400));
        assert_eq!(trace("0.25"), Ok(Page::Trace { time: Duration::from_millis(250) }));
        assert_eq!(trace("1.000000001"), Ok(Page::Trace { time: Duration::new(1, 1) }));
        for wrong in ["", ".", ".5", "1.", "1.0000000001", "-1", "+1", "1e2", "1.-1", "inf", "1 "] {
            assert_eq!(trace(wrong), Err(400), "{wrong}");
        }
        let block = |query: &[_]| find("/debug/pprof/block", query);
        let waits = |form, time| Ok(Page::Block(Waits { form, time }));
        assert_eq!(block(&[]), waits(Form::Proto, None));
        assert_eq!(block(&[("seconds", "0")]), waits(Form::Proto, None));
        let two = Some(Duration::from_secs(2));
        assert_eq!(block(&[("seconds", "2"), ("debug", "1")]), waits(Form::Counts, two));
        for path in ["/debug/pprof/goroutine", "/debug/pprof/threadcreate"] {
            assert_eq!(find(path, &[("seconds", "2")]), Err(400), "{path}");
        }
        assert_eq!(find("/debug/pprof/heap", &[]), Err(404));
        assert_eq!(find("/debug/pprof/goroutine/", &[]), Err(404));
    }
}
