//! What holds for all programs, and that the runner would see it if a verdict were wrong.

use crate::expected::{self, Leak};
use crate::play::{self, CONFIGURATIONS, Settle};
use crate::programs::{Class, PROGRAMS, Program, Run};
use libtest_mimic::{Failed, Trial};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A program is to be read in one go.
const LINES: usize = 60;

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, check: fn() -> Result<(), Failed>| Trial::test(name, check);
    vec![
        trial("rules/every_file_is_listed", every_file_is_listed),
        trial("rules/programs_are_short_and_marked", programs_are_short_and_marked),
        trial("rules/marks_are_understood_or_refused", marks_are_understood_or_refused),
        trial("rules/wrong_verdicts_are_seen", wrong_verdicts_are_seen),
    ]
}

/// A file that is not would never be run.
fn every_file_is_listed() -> Result<(), Failed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/programs");
    let mut files = BTreeSet::new();
    for class in fs::read_dir(folder)? {
        for file in fs::read_dir(class?.path())? {
            files.insert(file?.path());
        }
    }
    let names = files.iter().filter_map(|path| {
        let (class, name) = (path.parent()?.file_name()?.to_str()?, path.file_stem()?.to_str()?);
        Some(format!("{class}/{name}"))
    });
    let (names, listed): (BTreeSet<_>, BTreeSet<_>) =
        (names.collect(), PROGRAMS.iter().map(Program::path).collect());
    let odd: Vec<_> = names.symmetric_difference(&listed).collect();
    match odd.is_empty() && listed.len() == PROGRAMS.len() {
        true => Ok(()),
        false => Err(format!("not both there and listed once: {odd:?}").into()),
    }
}

fn programs_are_short_and_marked() -> Result<(), Failed> {
    for program in PROGRAMS {
        let path = program.path();
        let marks = expected::marks(program.source).map_err(|how| format!("{path}, {how}"))?;
        let clean = program.class == Class::Clean;
        if marks.is_empty() != clean || clean != matches!(program.run, Run::Clean(_)) {
            return Err(format!("{path}: what is it to show?").into());
        }
        if program.source.lines().count() > LINES || !program.source.starts_with("//! ") {
            return Err(format!("{path}: longer than {LINES} lines, or without a word").into());
        }
    }
    Ok(())
}

fn marks_are_understood_or_refused() -> Result<(), Failed> {
    let marks = expected::marks("a(); //~ 2 chan send\nb();\nc(); //~ body select\n")?;
    if expected::list(&marks) != "2 × `chan send` at line 1, 1 × the body in `select` at line 3" {
        return Err(expected::list(&marks).into());
    }
    for wrong in [
        "// ~ chan send",
        "//~chan send",
        "//~ chansend",
        "//~ chan send ",
        "//~ 0 chan send",
        "//~ 1 chan send",
        "//~ two chan send",
        "//~ 2 body chan send",
        "//~ bodychan send",
        "//~ ",
    ] {
        if let Ok(marks) = expected::marks(wrong) {
            return Err(format!("`{wrong}` is taken for {}", expected::list(&marks)).into());
        }
    }
    Ok(())
}

/// The verdicts on three programs beside expectations that they do not meet: another
/// reason, another line, another number, one less.
fn wrong_verdicts_are_seen() -> Result<(), Failed> {
    for path in ["micro/n_cast", "mixed/cockroach1055", "hard/counted_below_zero"] {
        let program = PROGRAMS.iter().find(|it| it.path() == path).ok_or(path)?;
        let played = play::play(program, false, CONFIGURATIONS[0], Settle::Default)?;
        let right = expected::marks(program.source)?;
        if let Some(how) = played.differs(&right) {
            return Err(how.into());
        }
        // If it were the fixed version, or a clean program.
        played.alarms().ok_or("a leak is no alarm")?;
        let but = |change: fn(Leak, usize) -> Option<(Leak, usize)>| {
            let mut wrong = right.clone();
            let first = wrong.pop_first().and_then(|(leak, count)| change(leak, count));
            wrong.extend(first);
            wrong
        };
        for wrong in [
            but(|leak, count| Some((Leak { reason: "join".to_owned(), ..leak }, count))),
            but(|leak, count| Some((Leak { line: leak.line + 1, ..leak }, count))),
            but(|leak, count| Some((Leak { body: !leak.body, ..leak }, count))),
            but(|leak, count| Some((leak, count + 1))),
            but(|_, _| None),
        ] {
            if played.differs(&wrong).is_none() {
                return Err(format!("{path} passes for {}", expected::list(&wrong)).into());
            }
        }
    }
    Ok(())
}
