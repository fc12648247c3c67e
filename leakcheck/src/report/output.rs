//! Where reports go, as the environment says.
//!
//! | variable | values | |
//! |---|---|---|
//! | `LEAKCHECK_JSON` | a path | each report is appended to that file as a line of JSON |
//! | `LEAKCHECK_GITHUB` | `always`, `never`, `auto` | annotations; `auto`: if `GITHUB_ACTIONS` is `true` |
//! | `LEAKCHECK_COLOR` | `always`, `never`, `auto` | see `colour.rs` |
//!
//! Nothing that goes wrong here changes the verdict: it is said, and the test fails
//! or not as it would have.

use std::env;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use super::colour::Styles;
use super::{Report, annotations, json, text};
use crate::settings::{COLOR_VAR, GITHUB_VAR, JSON_VAR};

/// Whether to do something that may be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Always,
    Never,
    Auto,
}

/// A report with its colours.
struct Painted<'a>(&'a Report, Styles);

impl fmt::Display for Painted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(f, self.0, &self.1)
    }
}

/// Prints with `eprintln` and not through a handle of standard error: libtest captures
/// only that, and only on the test's own thread.
pub(super) fn publish(report: &Report) {
    let styles = Styles::of(choice(COLOR_VAR), &report.subject);
    eprintln!("{}", Painted(report, styles));
    record_leak();
    tell_machines(report);
}

/// Has a flight recorder write what came before, while it still knows, and says where.
pub(crate) fn record_leak() {
    if let Some(line) = gopark::__private::record_leak() {
        eprintln!("{line}\n");
    }
}

/// Of a report that was printed.
pub(super) fn tell_machines(report: &Report) {
    let github = match choice(GITHUB_VAR) {
        Choice::Always => true,
        Choice::Never => false,
        Choice::Auto => env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
    };
    if github {
        eprintln!("{}", annotations::lines(report));
    }
    if let Some(path) = env::var_os(JSON_VAR).filter(|path| !path.is_empty()) {
        let path = Path::new(&path);
        if let Err(error) = append(path, &json::line(report)) {
            eprintln!(
                "leakcheck: {JSON_VAR}={}: the report cannot be written there: {error}\n",
                path.display()
            );
        }
    }
}

/// One write under a lock, so that lines of tests and processes that end at the same
/// time do not mix.
fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    // Not every file system has locks. A short line is written in one piece anyway.
    let locked = file.lock();
    let written = file.write_all(line.as_bytes());
    if locked.is_ok() {
        let _ = file.unlock();
    }
    written
}

fn choice(name: &str) -> Choice {
    let value = env::var_os(name).unwrap_or_default();
    match value.to_str() {
        Some("always") => Choice::Always,
        Some("never") => Choice::Never,
        Some("" | "auto") => Choice::Auto,
        _ => {
            eprintln!(
                "leakcheck: {name} is `{}`; it can be `always`, `never` or `auto`, and is taken for `auto`",
                value.display()
            );
            Choice::Auto
        }
    }
}
