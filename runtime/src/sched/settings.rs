//! The settings of this process, from its program and its environment.

use super::config::{Config, StartError};
use super::processors::MOST as MOST_PROCESSORS;
use super::{Sched, debug};
use crate::stack::class::{Class, USUAL};
use crate::sys::mem;
use std::ffi::OsString;
use std::time::Duration;

/// How long a task may keep a processor that others want, unless somebody says
/// otherwise. Go: `forcePreemptNS`.
pub(crate) const SLICE: u64 = 10_000_000;

/// Go: the default of `debug.SetMaxThreads`.
const MAX_THREADS: usize = 10_000;
/// Some bursts of work come again and again.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) maxprocs: u32,
    /// CPUs that this process may use.
    pub(crate) cpus: u32,
    /// In nanoseconds.
    pub(crate) slice: u64,
    /// Are tasks suspended that do not give way?
    pub(crate) preempt: bool,
    /// The most worker threads at the same time.
    pub(crate) max_threads: usize,
    /// How long an idle worker stays; `None` for ever.
    pub(crate) patience: Option<Duration>,
    /// Are tasks reported that hold their siblings up?
    pub(crate) watchdog: bool,
    pub(crate) migrating: bool,
    /// Of tasks that ask for nothing.
    pub(crate) stack: Class,
    /// Also of tasks that ask for less.
    pub(crate) least_stack: Option<Class>,
    /// Are the stacks of parked tasks trimmed?
    pub(crate) shrink: bool,
    /// May stacks be guarded by `MADV_GUARD_INSTALL`?
    pub(crate) guard_pages: bool,
    /// Does SIGQUIT show all tasks and end the process?
    pub(super) quit: bool,
    /// The signal that shows all tasks.
    pub(super) dump_signal: Option<libc::c_int>,
    /// How often the scheduler's state is printed, if at all.
    pub(super) sched_trace: Option<Duration>,
    /// With processors, workers and tasks?
    pub(super) sched_detail: bool,
    /// More live tasks than so many are worth a warning.
    pub(super) warn_tasks: Option<usize>,
    /// Of how long a time there is a flight recorder, if there is one.
    pub(super) recorder: Option<Duration>,
    /// Does somebody want to know what `GOPARK_DEBUG` can be?
    pub(super) help: bool,
}

impl Settings {
    /// For a start at first use, where nobody can be given an error.
    pub(super) fn default_or_fatal() -> Settings {
        match Settings::of(Config::new()) {
            Ok(settings) => settings,
            Err(error) => crate::sys::fatal(format_args!("{error}")),
        }
    }

    pub(super) fn of(config: Config) -> Result<Settings, StartError> {
        Settings::read(config, |name| std::env::var_os(name))
    }

    /// `env` is the environment. An empty variable is one that is not set.
    pub(crate) fn read(
        config: Config,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Settings, StartError> {
        let env = |name| {
            // What is no text becomes one that nothing below takes.
            env(name).filter(|value| !value.is_empty()).map(|v| v.to_string_lossy().into_owned())
        };
        let cpus = all_cpus();
        let maxprocs = match config.maxprocs {
            Some(n) => processors(n, n.to_string(), "Config::maxprocs")?,
            None => match env("GOPARK_MAXPROCS") {
                Some(text) => {
                    processors(text.trim().parse().unwrap_or(0), text, "GOPARK_MAXPROCS")?
                }
                None => cpus,
            },
        };
        let slice = match config.slice {
            Some(time) => slice(Some(time), format!("{time:?}"), "Config::slice")?,
            None => match env("GOPARK_SLICE") {
                Some(text) => slice(duration(text.trim()), text, "GOPARK_SLICE")?,
                None => SLICE,
            },
        };
        let program = match config.stack_limit {
            Some(n) => Some(stack(Some(n), n.to_string(), "Config::stack_limit")?),
            None => None,
        };
        let user = match env("GOPARK_STACK") {
            Some(text) => Some(stack(bytes(text.trim()), text, "GOPARK_STACK")?),
            None => None,
        };
        let mut settings = Settings {
            maxprocs,
            cpus,
            slice,
            preempt: true,
            max_threads: threads(config.max_threads)?,
            patience: Some(PATIENCE),
            watchdog: !config.no_watchdog,
            migrating: config.migrating,
            stack: user.or(program).unwrap_or(USUAL),
            least_stack: user,
            shrink: true,
            guard_pages: true,
            quit: true,
            dump_signal: None,
            sched_trace: None,
            sched_detail: false,
            warn_tasks: None,
            recorder: None,
            help: false,
        };
        debug::read(&env("GOPARK_DEBUG").unwrap_or_default(), &mut settings)?;
        Ok(settings)
    }

    /// For the start that these are the settings of.
    pub(super) fn apply(&self) {
        Class::set(self.stack, self.least_stack);
        mem::init(self.guard_pages);
        if self.help {
            debug::help();
        }
    }
}

/// What the scheduler asks of them; before the start there are none.
impl Sched {
    #[inline]
    pub(crate) fn migrating(&self) -> bool {
        self.settings.get().is_some_and(|s| s.migrating)
    }

    /// How long a task may keep a processor that others want, in nanoseconds.
    #[inline]
    pub(crate) fn slice(&self) -> u64 {
        self.settings.get().map_or(SLICE, |s| s.slice)
    }

    /// Are tasks suspended that do not give way?
    pub(super) fn preempts(&self) -> bool {
        self.settings.get().is_some_and(|s| s.preempt)
    }

    /// Does anybody want to hear of tasks that hold their siblings up?
    pub(super) fn watches(&self) -> bool {
        self.settings.get().is_some_and(|s| s.watchdog && !s.migrating)
    }

    /// How often the scheduler's state is printed, if at all.
    pub(super) fn traces(&self) -> Option<Duration> {
        self.settings.get().and_then(|s| s.sched_trace)
    }

    /// Processors, workers and tasks, too?
    pub(super) fn traces_details(&self) -> bool {
        self.settings.get().is_some_and(|s| s.sched_detail)
    }

    /// More live tasks than so many are worth a warning.
    pub(super) fn many_tasks(&self) -> Option<usize> {
        self.settings.get().and_then(|s| s.warn_tasks)
    }

    /// Are the stacks of parked tasks trimmed?
    pub(super) fn shrinks(&self) -> bool {
        self.settings.get().is_some_and(|s| s.shrink)
    }
}

fn all_cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(MOST_PROCESSORS)) as u32
}

fn processors(n: usize, value: String, source: &'static str) -> Result<u32, StartError> {
    if (1..=MOST_PROCESSORS).contains(&n) {
        Ok(n as u32)
    } else {
        Err(StartError::MaxProcs { value, source })
    }
}

fn threads(n: Option<usize>) -> Result<usize, StartError> {
    match n {
        Some(0) => Err(StartError::MaxThreads),
        n => Ok(n.unwrap_or(MAX_THREADS)),
    }
}

fn slice(time: Option<Duration>, value: String, source: &'static str) -> Result<u64, StartError> {
    let limits = Duration::from_millis(1)..=Duration::from_secs(1);
    match time.filter(|time| limits.contains(time)) {
        Some(time) => Ok(time.as_nanos() as u64),
        None => Err(StartError::Slice { value, source }),
    }
}

/// `10ms`, `1500us` or `1s`: a whole number and its unit.
fn duration(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let number = number.parse().ok()?;
    match unit {
        "us" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        _ => None,
    }
}

fn stack(bytes: Option<usize>, value: String, source: &'static str) -> Result<Class, StartError> {
    bytes.and_then(Class::for_bytes).ok_or(StartError::StackLimit { value, source })
}

/// `512K`, `512KiB` and `524288` are the same, in small letters too. Nothing and
/// zero are no sizes.
fn bytes(text: &str) -> Option<usize> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        _ => return None,
    };
    number.parse::<usize>().ok().filter(|&n| n > 0)?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    /// With an environment of these variables.
    fn read(config: Config, env: &[(&str, &OsStr)]) -> Result<Settings, StartError> {
        Settings::read(config, |name| {
            env.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_os_string())
        })
    }

    fn with(name: &str, value: impl AsRef<OsStr>) -> Result<Settings, StartError> {
        read(Config::new(), &[(name, value.as_ref())])
    }

    fn class(bytes: usize) -> Class {
        Class::for_bytes(bytes).unwrap()
    }

    #[test]
    fn nothing_said() {
        let settings = read(Config::new(), &[]).unwrap();
        assert_eq!(settings.stack, USUAL);
        assert_eq!(settings.least_stack, None);
        assert!(settings.shrink && settings.guard_pages && !settings.help && !settings.migrating);
        assert!(settings.preempt && settings.slice == 10_000_000);
        let empty = OsStr::new("");
        let names = ["GOPARK_MAXPROCS", "GOPARK_STACK", "GOPARK_SLICE", "GOPARK_DEBUG"];
        let unset = read(Config::new(), &names.map(|name| (name, empty))).unwrap();
        assert_eq!(format!("{settings:?}"), format!("{unset:?}"));
    }

    #[test]
    fn every_form_of_a_size() {
        let sizes = [
            ("1", 64 << 10),
            ("65536", 64 << 10),
            ("65537", 256 << 10),
            ("00064K", 64 << 10),
            ("64KiB", 64 << 10),
            ("256k", 256 << 10),
            ("257kib", 512 << 10),
            (" 512K ", 512 << 10),
            ("513K", 1 << 20),
            ("1M", 1 << 20),
            ("1024K", 1 << 20),
            ("1MiB", 1 << 20),
            ("2m", 8 << 20),
            ("9mib", 64 << 20),
            ("64M", 64 << 20),
            ("65M", 1 << 30),
            ("1G", 1 << 30),
            ("1GiB", 1 << 30),
            ("1024M", 1 << 30),
            ("1073741824", 1 << 30),
        ];
        for (text, usable) in sizes {
            let settings = with("GOPARK_STACK", text).unwrap();
            assert_eq!(settings.stack, class(usable), "{text:?}");
            assert_eq!(settings.least_stack, Some(class(usable)), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_size() {
        let bad: [&[u8]; 21] = [
            b"0",
            b"0M",
            b" ",
            b"K",
            b"-1",
            b"+1M",
            b"1.5M",
            b"1 M",
            b"1,5M",
            b"0x10000",
            b"1e6",
            b"1T",
            b"1B",
            b"1KB",
            b"1Kb",
            b"1MM",
            b"big",
            b"2G",
            b"1073741825",
            b"18446744073709551617",
            b"1M\xFF",
        ];
        for bytes in bad {
            let error = with("GOPARK_STACK", OsStr::from_bytes(bytes)).unwrap_err();
            let value = String::from_utf8_lossy(bytes).into_owned();
            assert_eq!(error, StartError::StackLimit { value, source: "GOPARK_STACK" });
        }
        // Bits that a shift would lose.
        with("GOPARK_STACK", format!("{}G", (1u64 << 34) + 1)).unwrap_err();
        with("GOPARK_STACK", format!("{}K", u64::MAX)).unwrap_err();
    }

    #[test]
    fn the_size_in_the_environment_wins() {
        let small = Config::new().stack_limit(100 << 10);
        let settings = read(small, &[]).unwrap();
        assert_eq!((settings.stack, settings.least_stack), (class(256 << 10), None));
        for env in ["64K", "8M"] {
            let settings = read(small, &[("GOPARK_STACK", env.as_ref())]).unwrap();
            let said = class(bytes(env).unwrap());
            assert_eq!((settings.stack, settings.least_stack), (said, Some(said)));
        }
        assert_eq!(read(Config::new().stack_limit(0), &[]).unwrap().stack, class(0));
        // A program that asks for what cannot be has a fault whatever wins.
        for env in ["", "1M", "big"] {
            let error =
                read(Config::new().stack_limit((1 << 30) + 1), &[("GOPARK_STACK", env.as_ref())]);
            let value = "1073741825".to_owned();
            let source = "Config::stack_limit";
            assert_eq!(error.unwrap_err(), StartError::StackLimit { value, source });
        }
    }

    #[test]
    fn the_number_of_processors_in_the_program_wins() {
        let env = [("GOPARK_MAXPROCS", OsStr::new("3"))];
        assert_eq!(read(Config::new(), &env).unwrap().maxprocs, 3);
        assert_eq!(read(Config::new().maxprocs(5), &env).unwrap().maxprocs, 5);
    }

    #[test]
    fn every_form_of_a_slice() {
        for (text, nanoseconds) in [
            ("1ms", 1_000_000),
            ("1000us", 1_000_000),
            (" 10ms ", 10_000_000),
            ("1s", 1_000_000_000),
            ("1000000us", 1_000_000_000),
        ] {
            assert_eq!(with("GOPARK_SLICE", text).unwrap().slice, nanoseconds, "{text:?}");
        }
        for text in ["", " ", "10", "ms", "0ms", "999us", "1001ms", "2s", "1.5ms", "10 ms", "10MS"]
        {
            if !text.is_empty() {
                let error = with("GOPARK_SLICE", text).unwrap_err();
                let value = text.to_owned();
                assert_eq!(error, StartError::Slice { value, source: "GOPARK_SLICE" });
            }
        }
        let env = [("GOPARK_SLICE", OsStr::new("20ms"))];
        let program = |ms| read(Config::new().slice(Duration::from_millis(ms)), &env);
        assert_eq!(program(3).unwrap().slice, 3_000_000, "the program wins");
        let error = program(1001).unwrap_err();
        let text = "Config::slice is \"1.001s\", but a slice is between 1ms and 1s, such as \
                    1500us, 10ms or 1s";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn threads_and_how_long_they_stay() {
        let settings = read(Config::new(), &[]).unwrap();
        assert_eq!((settings.max_threads, settings.patience), (10_000, Some(PATIENCE)));
        assert_eq!(read(Config::new().max_threads(7), &[]).unwrap().max_threads, 7);
        let error = read(Config::new().max_threads(0), &[]).unwrap_err();
        let text = "Config::max_threads is 0, but the runtime needs a thread";
        assert_eq!(error.to_string(), text);
        for (list, stays) in [("0", None), ("1", Some(1)), ("3600000", Some(3_600_000))] {
            let settings = with("GOPARK_DEBUG", format!("idleworkers={list}")).unwrap();
            assert_eq!(settings.patience, stays.map(Duration::from_millis));
        }
        with("GOPARK_DEBUG", "idleworkers=3600001").unwrap_err();
    }

    #[test]
    fn signals_that_show_all_tasks() {
        let settings = read(Config::new(), &[]).unwrap();
        assert_eq!((settings.quit, settings.dump_signal), (true, None));
        let settings = with("GOPARK_DEBUG", "sigquit=0,dumpsignal=10").unwrap();
        assert_eq!((settings.quit, settings.dump_signal), (false, Some(10)));
        assert_eq!(with("GOPARK_DEBUG", "dumpsignal=0").unwrap().dump_signal, None);
        with("GOPARK_DEBUG", "dumpsignal=65").unwrap_err();
    }

    #[test]
    fn what_is_printed_now_and_then() {
        let settings = read(Config::new(), &[]).unwrap();
        let found = (settings.sched_trace, settings.sched_detail, settings.warn_tasks);
        assert_eq!(found, (None, false, None));
        let settings = with("GOPARK_DEBUG", "schedtrace=20,scheddetail=1,warntasks=1000").unwrap();
        let found = (settings.sched_trace, settings.sched_detail, settings.warn_tasks);
        assert_eq!(found, (Some(Duration::from_millis(20)), true, Some(1000)));
        let settings = with("GOPARK_DEBUG", "flightrecorder=7").unwrap();
        assert_eq!(settings.recorder, Some(Duration::from_secs(7)));
        assert_eq!(with("GOPARK_DEBUG", "flightrecorder=0").unwrap().recorder, None);
        let settings = with("GOPARK_DEBUG", "schedtrace=0,scheddetail=0,warntasks=0").unwrap();
        let found = (settings.sched_trace, settings.sched_detail, settings.warn_tasks);
        assert_eq!(found, (None, false, None));
    }

    #[test]
    fn preemption_can_be_off() {
        assert!(!with("GOPARK_DEBUG", "asyncpreemptoff=1").unwrap().preempt);
        assert!(with("GOPARK_DEBUG", "asyncpreemptoff=0").unwrap().preempt);
    }

    #[test]
    fn every_debug_setting() {
        // shrink, guard_pages, help
        let lists = [
            ("shrinkstackoff=1", (false, true, false)),
            ("shrinkstackoff=0", (true, true, false)),
            ("guardpages=0", (true, false, false)),
            ("guardpages=1", (true, true, false)),
            ("shrinkstackoff=1,guardpages=0", (false, false, false)),
            ("guardpages=0,shrinkstackoff=1", (false, false, false)),
            (" shrinkstackoff=1 , guardpages=0 ", (false, false, false)),
            // A list that was added to, at either end of nothing.
            (",guardpages=0", (true, false, false)),
            ("guardpages=0,,", (true, false, false)),
            (" ", (true, true, false)),
            // The last one wins.
            ("guardpages=0,guardpages=1", (true, true, false)),
            ("help", (true, true, true)),
            ("help,guardpages=0", (true, false, true)),
        ];
        for (list, expected) in lists {
            let settings = with("GOPARK_DEBUG", list).unwrap();
            let found = (settings.shrink, settings.guard_pages, settings.help);
            assert_eq!(found, expected, "{list:?}");
        }
    }

    #[test]
    fn what_is_no_debug_setting() {
        let bad = [
            "guardpages",
            "guardpages=",
            "guardpages=2",
            "guardpages=-1",
            "guardpages=yes",
            "guardpages=0=1",
            "guardpages =0",
            "GuardPages=0",
            "guardpages:0",
            "=1",
            "=",
            "help=1",
            "schedtrace=3600001",
            "schedtrace",
            "scheddetail=2",
            "warntasks=many",
            "4294967296",
            "shrinkstackoff=4294967296",
        ];
        for part in bad {
            let setting = part.to_owned();
            let error = Err(StartError::Debug { setting });
            for list in [part.to_owned(), format!("help,{part}"), format!("{part},guardpages=0")] {
                assert_eq!(with("GOPARK_DEBUG", list).map(|_| ()), error);
            }
        }
        let error = with("GOPARK_DEBUG", OsStr::from_bytes(b"help\xFF")).unwrap_err();
        assert_eq!(error, StartError::Debug { setting: "help\u{FFFD}".to_owned() });
    }

    #[test]
    fn errors_say_what_would_be_right() {
        let says = [
            (
                with("GOPARK_STACK", "2G").unwrap_err(),
                "GOPARK_STACK is \"2G\", but the size of a stack is a number of bytes such as 512K, \
                 1M or 64M, at most 1G",
            ),
            (
                read(Config::new().stack_limit(2 << 30), &[]).unwrap_err(),
                "Config::stack_limit is \"2147483648\", but the size of a stack is a number of bytes \
                 such as 512K, 1M or 64M, at most 1G",
            ),
            (
                with("GOPARK_DEBUG", "guardpages=0,shrinkstack=1").unwrap_err(),
                "GOPARK_DEBUG has \"shrinkstack=1\", which is none of\
                 \n  asyncpreemptoff=0|1  1: tasks give their processors up at calls of the runtime \
                 only; default 0\
                 \n  dumpsignal=N         N: at signal N all tasks are shown on stderr, and the program \
                 goes on; default 0\
                 \n  flightrecorder=N     N: a trace of the last N seconds is kept, and written when \
                 something panics, leaks or deadlocks; default 0\
                 \n  guardpages=0|1       0: guards of stacks are made by mprotect, as on Linux before \
                 6.13; default 1\
                 \n  idleworkers=N        N: a worker thread that is idle for N milliseconds ends; \
                 0: never; default 5000\
                 \n  scheddetail=0|1      1: schedtrace also prints processors, threads and tasks, a line \
                 each; default 0\
                 \n  schedtrace=N         N: every N milliseconds the scheduler's state is printed on \
                 stderr, as Go does; default 0: never\
                 \n  shrinkstackoff=0|1   1: stacks of parked tasks keep the memory they do not need; \
                 default 0\
                 \n  sigquit=0|1          0: SIGQUIT does not show all tasks before it ends the program; \
                 default 1\
                 \n  warntasks=N          N: more than N tasks that live at a time are worth a warning, \
                 and so is each doubling; default 0: never\
                 \n  watchdog=0|1         0: tasks that hold others up on their threads are not \
                 reported; default 1\
                 \n  help                 prints this list",
            ),
        ];
        for (error, text) in says {
            assert_eq!(error.to_string(), text);
        }
    }
}
