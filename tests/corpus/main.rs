//! The leak corpus: what the verifier finds, and what it keeps silent about.
//!
//! Each program is a file of its own below `programs/`, buggy and fixed. The line on
//! which a task of the buggy one is left waiting has a mark with the reason, `//~ chan
//! send`; `//~ 2 chan send` are two tasks, and `//~ body chan send` is the test's own
//! body. All that is marked must be found, and nothing else; the fixed version and
//! the clean programs must pass without a word. Each is run in each
//! configuration, in a process of its own; unoptimised in two of the six.
//!
//! ```sh
//! cargo test -p gopark-tests --test corpus --release             # all, and the table
//! cargo test -p gopark-tests --test corpus --release etcd        # some
//! CORPUS_SHOW=1 cargo test -p gopark-tests --test corpus etcd6857  # with their reports
//! GOLDEN_UPDATE=1 cargo test -p gopark-tests --test corpus --release  # docs/corpus.md anew
//! ```
//!
//! | file | what |
//! |---|---|
//! | `programs` | the list, one folder per class |
//! | `prelude` | what they use |
//! | `expected` | the marks |
//! | `rules` | what holds for all programs, and that a wrong verdict is seen |
//! | `play` | one program in a process of its own, from the inside and from the outside |
//! | `table` | what came out, for a reader |
//!
//! The kernels of real bugs are those that GoBench collected (Yuan et al., CGO '21),
//! each written anew from its cause.

mod expected;
mod play;
mod prelude;
mod programs;
mod rules;
mod table;

use libtest_mimic::{Arguments, Failed, Trial};
use play::{CONFIGURATIONS, Settle};
use programs::{PROGRAMS, Program, Run};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

/// What is known of a program after all its runs.
struct Row {
    program: &'static Program,
    /// Runs of the buggy version in which all was found, of how many.
    found: (usize, usize),
    /// Runs of the fixed version in which something was found, of how many.
    alarms: (usize, usize),
    /// How long the check took, each time.
    took: Vec<Duration>,
    /// It was proven that nothing could wake them.
    proven: bool,
}

static ROWS: Mutex<Vec<Row>> = Mutex::new(Vec::new());

fn main() -> ExitCode {
    if let Some(inside) = play::inside() {
        return inside;
    }
    let arguments = Arguments::from_args();
    let programs =
        PROGRAMS.iter().map(|program| Trial::test(program.path(), move || check(program)));
    let trials: Vec<Trial> = programs.chain(rules::trials()).collect();
    let all = trials.len() as u64;
    let conclusion = libtest_mimic::run(&arguments, trials);
    let whole = conclusion.num_filtered_out == 0 && conclusion.num_passed == all;
    if whole && !arguments.list {
        let rows = ROWS.lock().expect("no trial panics under it");
        if let Err(wrong) = table::publish(&rows) {
            eprintln!("{wrong}");
            return ExitCode::FAILURE;
        }
    }
    conclusion.exit_code()
}

/// Plays a program in all its versions and configurations.
fn check(program: &'static Program) -> Result<(), Failed> {
    let mut row = Row { program, found: (0, 0), alarms: (0, 0), took: Vec::new(), proven: true };
    let expected = expected::marks(program.source)?;
    let mut wrong = Vec::new();
    for &configuration in CONFIGURATIONS {
        if let Run::Both(_) = program.run {
            row.found.1 += 1;
            let played = play::play(program, false, configuration, Settle::Default)?;
            match played.differs(&expected) {
                None => row.found.0 += 1,
                Some(how) => wrong.push(format!("buggy, {configuration}: {how}")),
            }
            row.took.extend(played.took);
            row.proven &= played.proven;
        }
        row.alarms.1 += 1;
        let played = play::play(program, true, configuration, Settle::Default)?;
        if let Some(how) = played.alarms() {
            row.alarms.0 += 1;
            wrong.push(format!("fixed, {configuration}: {how}"));
        }
    }
    ROWS.lock()?.push(row);
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n\n").into()),
    }
}
