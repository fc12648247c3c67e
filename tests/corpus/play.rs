//! One program in a process of its own.

use crate::expected::{self, Leak, Leaks};
use crate::programs::{PROGRAMS, Program, Run};
use leakcheck::Options;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{env, fmt, fs, process};

/// Names the program that a child is to play, and its version.
const PROGRAM: &str = "CORPUS_PROGRAM";
const FIXED: &str = "CORPUS_FIXED";
/// Whether its tasks migrate.
const MIGRATING: &str = "CORPUS_MIGRATING";

/// How tasks are run.
#[derive(Clone, Copy)]
pub(crate) struct Configuration {
    processors: u32,
    migrating: bool,
}

const fn with(processors: u32, migrating: bool) -> Configuration {
    Configuration { processors, migrating }
}

const ALL: [Configuration; 6] =
    [with(2, false), with(2, true), with(1, false), with(1, true), with(4, false), with(4, true)];

/// In which programs are played: optimised in all of them. The first is the default.
pub(crate) const CONFIGURATIONS: &[Configuration] =
    if cfg!(debug_assertions) { ALL.split_at(2).0 } else { &ALL };

/// How long all must have stood still before a verdict.
#[derive(Clone, Copy)]
pub(crate) enum Settle {
    Default,
    /// What remains is what a check itself takes.
    Zero,
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.migrating { "migrating" } else { "bound" };
        write!(f, "{} processors, {mode}", self.processors)
    }
}

/// How a run went.
pub(crate) struct Played {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) found: Leaks,
    /// How long the check took; none if it had nothing to say.
    pub(crate) took: Option<Duration>,
    pub(crate) proven: bool,
}

impl Played {
    /// That something was found where nothing was to be.
    pub(crate) fn alarms(&self) -> Option<String> {
        let Played { code, output, found, .. } = self;
        let silent = *code == Some(0) && found.is_empty();
        (!silent).then(|| format!("a false alarm, exit {code:?}\n{output}"))
    }

    /// How it differs from what was to be found.
    pub(crate) fn differs(&self, expected: &Leaks) -> Option<String> {
        if self.code == Some(1) && self.found == *expected {
            return None;
        }
        let (found, expected) = (expected::list(&self.found), expected::list(expected));
        let code = self.code;
        Some(format!("exit {code:?}\n   found {found}\nexpected {expected}\n{}", self.output))
    }
}

/// Runs the program in a child.
pub(crate) fn play(
    program: &Program,
    fixed: bool,
    configuration: Configuration,
    settle: Settle,
) -> Result<Played, String> {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let report = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("corpus-{}-{run}.json", process::id()));
    let said = |error: std::io::Error| format!("{}: {error}", program.path());
    let binary = env::current_exe().map_err(said)?;
    let mut command = Command::new(binary);
    for inherited in ["LEAKCHECK_DEADLINE_MS", "GOPARK_DEBUG", "GOPARK_STACK", "GOPARK_SLICE"] {
        command.env_remove(inherited);
    }
    match settle {
        Settle::Default => command.env_remove("LEAKCHECK_SETTLE_MS"),
        Settle::Zero => command.env("LEAKCHECK_SETTLE_MS", "0"),
    };
    command
        .env(PROGRAM, program.path())
        .env("LEAKCHECK_JSON", &report)
        .env("GOPARK_MAXPROCS", configuration.processors.to_string())
        .env("RUST_BACKTRACE", "0");
    if fixed {
        command.env(FIXED, "1");
    }
    if configuration.migrating {
        command.env(MIGRATING, "1");
    }
    let output = command.output().map_err(said)?;
    let text = fs::read_to_string(&report).unwrap_or_default();
    let _ = fs::remove_file(&report);
    let (found, took, proven) = read(&text, program)?;
    let output_text = String::from_utf8_lossy(&output.stderr).into_owned();
    if env::var_os("CORPUS_SHOW").is_some() && !fixed {
        println!("=== {}, {configuration}\n{output_text}", program.path());
    }
    Ok(Played { code: output.status.code(), output: output_text, found, took, proven })
}

/// Reads the report for machines.
fn read(text: &str, program: &Program) -> Result<(Leaks, Option<Duration>, bool), String> {
    let (mut leaks, mut took, mut proven) = (Leaks::new(), None, true);
    for line in text.lines() {
        let report: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let microseconds = report["waited_us"].as_u64().ok_or("a report without a time")?;
        took = Some(Duration::from_micros(microseconds));
        proven &= report["proven"].as_bool().ok_or("a report without a verdict")?;
        let groups = report["groups"].as_array().ok_or("a report without groups")?;
        for group in groups {
            let tasks = group["tasks"].as_array().ok_or("a group without tasks")?;
            *leaks.entry(leak(group, false, program)?).or_default() += tasks.len();
        }
        for panic in report["panics"].as_array().ok_or("a report without panics")? {
            *leaks.entry(of_panic(panic, program)?).or_default() += 1;
        }
        let body = &report["body"];
        if !body.is_null() {
            *leaks.entry(leak(body, true, program)?).or_default() += 1;
        }
    }
    Ok((leaks, took, proven))
}

fn leak(group: &Value, body: bool, program: &Program) -> Result<Leak, String> {
    match group["reason"].as_str() {
        Some(reason) => at(&group["waits_at"], reason, body, program),
        // Who runs waits nowhere; it is known by the place where it was made.
        None => at(&group["made_at"], expected::RUNNING, body, program),
    }
}

fn of_panic(panic: &Value, program: &Program) -> Result<Leak, String> {
    at(&panic["made_at"], expected::PANICKED, false, program)
}

fn at(place: &Value, reason: &str, body: bool, program: &Program) -> Result<Leak, String> {
    let line = place["line"].as_u64().and_then(|line| u32::try_from(line).ok());
    let (Some(file), Some(line)) = (place["file"].as_str(), line) else {
        return Err(format!("a leak without a place: {reason}"));
    };
    if !Path::new(file).ends_with(format!("{}.rs", program.path())) {
        return Err(format!("{file} is not the program's file"));
    }
    Ok(Leak { line, body, reason: reason.to_owned() })
}

/// In the child: plays the program. `None` in the parent.
pub(crate) fn inside() -> Option<ExitCode> {
    let path = env::var(PROGRAM).ok()?;
    let program = PROGRAMS.iter().find(|it| it.path() == path).expect("a program");
    if env::var_os(MIGRATING).is_some() {
        #[expect(unsafe_code, reason = "the promise of migrating mode")]
        // SAFETY: no frame of a program touches a thread-local on both sides of a park.
        unsafe { gopark::runtime::Config::new().migrating() }.start().expect("the first start");
    }
    let fixed = env::var_os(FIXED).is_some();
    let passed = catch_unwind(AssertUnwindSafe(|| __rust_begin_short_backtrace(program, fixed)));
    Some(ExitCode::from(u8::from(passed.is_err())))
}

/// By this name std and its harness, and so leakcheck, know where the frames of a test end.
#[inline(never)]
fn __rust_begin_short_backtrace(program: &Program, fixed: bool) {
    let _guard = leakcheck::verify_none(Options::new().name(program.path()));
    match program.run {
        Run::Both(run) => run(fixed),
        Run::Clean(run) => run(),
    }
}
