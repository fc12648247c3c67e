//! `GOPARK_DEBUG`: settings for those who look for a fault, as in Go's `GODEBUG`.

use super::config::StartError;
use super::settings::Settings;
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

struct Setting {
    name: &'static str,
    /// Its values are the numbers up to this one.
    most: u32,
    /// In one line, with the default.
    meaning: &'static str,
    set: fn(&mut Settings, u32),
}

const SETTINGS: [Setting; 11] = [
    Setting {
        name: "asyncpreemptoff",
        most: 1,
        meaning: "1: tasks give their processors up at calls of the runtime only; default 0",
        set: |settings, n| settings.preempt = n == 0,
    },
    Setting {
        name: "dumpsignal",
        most: 64,
        meaning: "N: at signal N all tasks are shown on stderr, and the program goes on; default 0",
        set: |settings, n| settings.dump_signal = (n != 0).then_some(n as libc::c_int),
    },
    Setting {
        name: "flightrecorder",
        most: 3600,
        meaning: "N: a trace of the last N seconds is kept, and written when something panics, \
                  leaks or deadlocks; default 0",
        set: |settings, n| {
            settings.recorder = (n != 0).then(|| Duration::from_secs(n.into()));
        },
    },
    Setting {
        name: "guardpages",
        most: 1,
        meaning: "0: guards of stacks are made by mprotect, as on Linux before 6.13; default 1",
        set: |settings, n| settings.guard_pages = n == 1,
    },
    Setting {
        name: "idleworkers",
        most: 3_600_000,
        meaning: "N: a worker thread that is idle for N milliseconds ends; 0: never; default 5000",
        set: |settings, n| {
            settings.patience = (n != 0).then(|| Duration::from_millis(n.into()));
        },
    },
    Setting {
        name: "scheddetail",
        most: 1,
        meaning: "1: schedtrace also prints processors, threads and tasks, a line each; default 0",
        set: |settings, n| settings.sched_detail = n == 1,
    },
    Setting {
        name: "schedtrace",
        most: 3_600_000,
        meaning: "N: every N milliseconds the scheduler's state is printed on stderr, as Go does; \
                  default 0: never",
        set: |settings, n| {
            settings.sched_trace = (n != 0).then(|| Duration::from_millis(n.into()));
        },
    },
    Setting {
        name: "shrinkstackoff",
        most: 1,
        meaning: "1: stacks of parked tasks keep the memory they do not need; default 0",
        set: |settings, n| settings.shrink = n == 0,
    },
    Setting {
        name: "sigquit",
        most: 1,
        meaning: "0: SIGQUIT does not show all tasks before it ends the program; default 1",
        set: |settings, n| settings.quit = n == 1,
    },
    Setting {
        name: "warntasks",
        most: u32::MAX,
        meaning: "N: more than N tasks that live at a time are worth a warning, and so is each \
                  doubling; default 0: never",
        set: |settings, n| settings.warn_tasks = (n != 0).then_some(n as usize),
    },
    Setting {
        name: "watchdog",
        most: 1,
        meaning: "0: tasks that hold others up on their threads are not reported; default 1",
        set: |settings, n| settings.watchdog = n == 1,
    },
];

const HELP: &str = "help";

/// Later ones win, so that a list can be added to.
pub(super) fn read(list: &str, settings: &mut Settings) -> Result<(), StartError> {
    for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        read_one(part, settings).ok_or_else(|| StartError::Debug { setting: part.to_owned() })?;
    }
    Ok(())
}

fn read_one(part: &str, settings: &mut Settings) -> Option<()> {
    if part == HELP {
        settings.help = true;
        return Some(());
    }
    let (name, value) = part.split_once('=')?;
    let setting = SETTINGS.iter().find(|setting| setting.name == name)?;
    let value = value.parse().ok().filter(|&n| n <= setting.most)?;
    (setting.set)(settings, value);
    Some(())
}

/// Past libtest's capture: whoever asked for it is not the test that is first.
pub(super) fn help() {
    let text = format!("gopark: GOPARK_DEBUG is a list, separated by commas, of\n{List}\n");
    let _ = io::stderr().write_all(text.as_bytes());
}

/// All that `GOPARK_DEBUG` can have.
pub(super) struct List;

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Setting { name, most, meaning, .. } in &SETTINGS {
            let values = if *most == 1 { "0|1" } else { "N" };
            writeln!(f, "  {:<20} {meaning}", format!("{name}={values}"))?;
        }
        write!(f, "  {HELP:<20} prints this list")
    }
}
