//! The table of what was found, on the screen and in `docs/corpus.md`.

use crate::Row;
use crate::expected::{self, Leaks};
use crate::play::{self, CONFIGURATIONS, Settle};
use crate::programs::Class;
use std::fmt::{self, Write};
use std::time::Duration;
use std::{env, fs};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/corpus.md");

/// One program of each class of real bugs, whose report the document shows.
const SHOWN: [(&str, &str); 3] = [
    ("resource/cockroach7504", "Two locks in two orders"),
    ("communication/etcd6857", "A question that nobody answers any more"),
    ("mixed/cockroach1055", "A wait under a lock"),
];

/// Prints the table, and compares the document with it, or writes that.
pub(crate) fn publish(rows: &[Row]) -> Result<(), String> {
    let mut rows: Vec<&Row> = rows.iter().collect();
    let place = |row: &&Row| {
        let class = Class::ALL.iter().position(|class| *class == row.program.class);
        (class, natural(row.program.name))
    };
    rows.sort_by_key(place);
    let text = document(&rows)?;
    println!("{}", text.split("\n## ").nth(1).unwrap_or(&text));
    let anew = env::var_os("GOLDEN_UPDATE").is_some();
    if cfg!(debug_assertions) {
        // The document says what came of all configurations.
        return match anew {
            true => Err("docs/corpus.md is written by an optimised run: add --release".to_owned()),
            false => Ok(()),
        };
    }
    if anew {
        return fs::write(DOCUMENT, text).map_err(|error| format!("{DOCUMENT}: {error}"));
    }
    let there = fs::read_to_string(DOCUMENT).map_err(|error| format!("{DOCUMENT}: {error}"))?;
    match timeless(&there) == timeless(&text) {
        true => Ok(()),
        false => Err("docs/corpus.md is out of date; GOLDEN_UPDATE=1 writes it anew".to_owned()),
    }
}

fn document(rows: &[&Row]) -> Result<String, String> {
    let mut text = String::new();
    write(&mut text, rows).map_err(|error| error.to_string())?;
    text.push_str(&cost(rows)?);
    text.push_str(REPORTS);
    for (path, title) in SHOWN {
        let row = rows.iter().find(|row| row.program.path() == path).ok_or(path)?;
        let played = play::play(row.program, false, CONFIGURATIONS[0], Settle::Default)?;
        let about = about(row.program.source);
        let report = report(&played.output)?;
        write!(text, "\n### {title}: {path}\n\n{about}\n\n```text\n{report}\n```\n")
            .map_err(|error| error.to_string())?;
    }
    Ok(text)
}

fn write(text: &mut String, rows: &[&Row]) -> fmt::Result {
    text.push_str(HEAD);
    for class in Class::ALL {
        let of: Vec<_> = rows.iter().filter(|row| row.program.class == class).collect();
        writeln!(text, "| **{}** | {} programs | | |", class.name(), of.len())?;
        for row in of {
            let leaks = expected::marks(row.program.source).unwrap_or_default();
            let (found, of) = row.found;
            let found = if of == 0 { "–".to_owned() } else { format!("{found} of {of}") };
            let time = match (median(&row.took), row.proven) {
                (None, _) => "–".to_owned(),
                (Some(time), true) => milliseconds(time),
                (Some(time), false) => format!("{}, the deadline", milliseconds(time)),
            };
            let name = format!(
                "[{0}](../tests/corpus/programs/{1}.rs)",
                row.program.name,
                row.program.path()
            );
            writeln!(text, "| {name} | {found} | {} | {time} |", reported(&leaks))?;
        }
    }
    totals(text, rows)
}

fn totals(text: &mut String, rows: &[&Row]) -> fmt::Result {
    let kernels: Vec<_> = rows.iter().filter(|row| row.program.class.is_kernels()).collect();
    let buggy: Vec<_> = rows.iter().filter(|row| row.found.1 > 0).collect();
    let whole = |rows: &[&&Row]| rows.iter().filter(|row| row.found.0 == row.found.1).count();
    let runs = |n: fn(&Row) -> usize| buggy.iter().map(|row| n(row)).sum::<usize>();
    writeln!(text, "\n## Totals\n")?;
    writeln!(text, "| | found | of |")?;
    writeln!(text, "|---|---|---|")?;
    writeln!(
        text,
        "| leakcheck, kernels of real bugs | {} | {} |",
        whole(&kernels),
        kernels.len()
    )?;
    writeln!(text, "| leakcheck, all programs with a bug | {} | {} |", whole(&buggy), buggy.len())?;
    writeln!(
        text,
        "| leakcheck, runs of programs with a bug | {} | {} |",
        runs(|row| row.found.0),
        runs(|row| row.found.1)
    )?;
    writeln!(text, "| goleak, as published: GoBench's kernels, in Go | 42 | 68 |")?;
    writeln!(text, "| go-deadlock, as published: the same | 28 | 68 |")?;
    writeln!(text, "| GOLF, as published: its own set, in Go | about 94 % | 100 % |")?;
    let proven: Vec<Duration> =
        buggy.iter().filter(|row| row.proven).flat_map(|row| row.took.iter().copied()).collect();
    let alarms: usize = rows.iter().map(|row| row.alarms.0).sum();
    let of: usize = rows.iter().map(|row| row.alarms.1).sum();
    writeln!(text, "\nFalse alarms: {alarms}, in {of} runs of fixed and clean programs.")?;
    if let Some(time) = median(&proven) {
        writeln!(text, "Median time to a proven verdict: {}.", milliseconds(time))?;
    }
    Ok(())
}

/// What the checks themselves take: once more with nothing to wait for, one at a time.
fn cost(rows: &[&Row]) -> Result<String, String> {
    let buggy: Vec<_> = rows.iter().filter(|row| row.found.1 > 0 && row.proven).collect();
    let mut sum = Duration::ZERO;
    for row in &buggy {
        let played = play::play(row.program, false, CONFIGURATIONS[0], Settle::Zero)?;
        if let Some(how) = played.differs(&expected::marks(row.program.source)?) {
            return Err(format!("{} with `settle` 0: {how}", row.program.path()));
        }
        sum += played.took.unwrap_or_default();
    }
    let (count, sum) = (buggy.len(), milliseconds(sum));
    Ok(format!("Time to all {count} proven verdicts together with `settle` 0: {sum}.\n"))
}

/// What a mark says, for a reader.
fn reported(leaks: &Leaks) -> String {
    let one = |(leak, count): (&expected::Leak, &usize)| {
        let many = if *count == 1 { String::new() } else { format!("{count} × ") };
        let body = if leak.body { "the test itself, " } else { "" };
        format!("{many}{body}`{}` line {}", leak.reason, leak.line)
    };
    match leaks.is_empty() {
        true => "nothing".to_owned(),
        false => leaks.iter().map(one).collect::<Vec<_>>().join("; "),
    }
}

/// The first paragraph of a program.
fn about(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(str::trim).collect::<Vec<_>>().join("\n")
}

/// A report without what differs from run to run and from machine to machine.
fn report(output: &str) -> Result<String, String> {
    let end = output.find("\nthread '").unwrap_or(output.len());
    let mut shown = String::new();
    for line in output[..end].trim().lines() {
        // A program may have been built anywhere, and its libraries elsewhere.
        match (line.strip_prefix('\t'), line.rfind(" for "), line.ends_with(" ms")) {
            (Some(path), ..) => {
                let (_, inside) = path
                    .split_once("/tests/corpus/programs/")
                    .ok_or(format!("a frame that is no program's: {path}"))?;
                shown.push_str(&format!("\t/gopark/tests/corpus/programs/{inside}"));
            }
            (None, Some(at), true) => shown.push_str(&format!("{} for 25 ms", &line[..at])),
            _ => shown.push_str(line),
        }
        shown.push('\n');
    }
    Ok(shown.trim_end().to_owned())
}

/// A document without its times, and its reports without frames and without the numbers of
/// tasks: who gets which differs from run to run, and the frames of an optimised build are
/// others.
fn timeless(text: &str) -> String {
    let mut kept = String::new();
    let mut in_a_dump = false;
    for line in text.lines() {
        in_a_dump = match line {
            _ if line.starts_with("goroutine ") => true,
            _ if line.starts_with("leakcheck: ") => false,
            _ => in_a_dump,
        };
        if in_a_dump || line.starts_with("Median") || line.starts_with("Time to") {
            continue;
        }
        let cells = line.strip_suffix(" |").and_then(|it| it.rsplit_once(" | "));
        kept.push_str(&numberless(cells.map_or(line, |(rest, _)| rest)));
        kept.push('\n');
    }
    kept
}

/// Without the numbers that stand behind the word `task`, or behind another such number.
fn numberless(line: &str) -> String {
    let is_number = |word: &str| word.trim_end_matches(',').parse::<u32>().is_ok();
    let mut after_task = false;
    let words = line.split(' ').map(|word| {
        // The columns of a note are apart.
        after_task = word == "task"
            || word == "task:"
            || (after_task && (word.is_empty() || is_number(word)));
        if after_task && is_number(word) { "N" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn median(times: &[Duration]) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// `etcd6857` before `etcd10492`.
fn natural(name: &str) -> (String, u64) {
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let letters = &name[..name.len() - digits.len()];
    (letters.to_owned(), digits.parse().unwrap_or(0))
}

const HEAD: &str = "\
# The leak corpus

What leakcheck finds in programs that are known to leak, and that it keeps silent about
those that do not. This page is written by

```sh
GOLDEN_UPDATE=1 cargo test -p gopark-tests --test corpus --release
```

which runs each program, buggy and fixed, on 1, 2 and 4 processors, with tasks bound to
their threads and migrating, each time in a process of its own; without the variable it
fails if this document is not what it found. The kernels are bugs of production systems
in Go which the GoBench study collected (Yuan et al., CGO 2021), each written anew for
gopark from its cause; the interleaving that a bug needs is forced. *Found* counts runs in
which every leaked task was named, with the right reason and place, and no other.

## What was found

| program | found | reported | verdict after |
|---|---|---|---|
";

const REPORTS: &str = "
The verdict waits until all has stood still for `settle`, 20 ms by default. Where a timer
or a running task might still wake somebody, it waits for the `deadline`, 1 s.

The published numbers are those of the GoBench study, which has 68 kernels of blocking
bugs, and of the paper on GOLF. They are not of the same input: those tools ran the
kernels in Go, where many of the bugs come by chance, and leakcheck runs what was written
anew for gopark, with the interleaving forced and the same operations left blocked. So the
rows tell what a way of looking can see. goleak misses a kernel mostly because its check
never runs when the test itself is blocked; go-deadlock looks at locks only; and what GOLF
misses is still reachable.

A program of the class *unreachable* is what a detector cannot see that asks what can still
be reached; one of the class *hard* is what a verdict is easily wrong about: chains of
waits, and handles in odd places.

## What it has brought to light

Mended, each with a test (in `tests/leak`) that fails without that:

| what the reports said, or did not | test |
|---|---|
| what a test that hangs waits for, and who has its lock | `hang::in_a_channel`, `hang::in_a_lock` |
| how the test got there: its frames were not shown | `hang::its_frames_are_shown` |
| in the report on its own hang, the test was *a thread that is no task* | `hang::in_a_lock` |
| that who waits for a message has a lock for which others wait | `hang::in_a_lock` |
| a lock that was taken to write had only been *asked for*; one lock counted as two | `cycles::readers` |
| a reader behind a writer that waits was told that the writer has the lock | `outputs::json_says_what_each_kind_of_leak_waits_for` |
| a context that nobody cancels was *a channel*; a signal that came too early was not known | the same |
| whom the end of a `scope` waits for, and whether a future can be woken | `hang::in_a_scope`, `hang::in_a_future` |
| JSON did not tell of tests that hang, nor of rings of locks | `outputs::json_says_how_a_test_hangs` |

## Reports

One of each class, in full.
";
