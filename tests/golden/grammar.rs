//! A strict parser of the dump: what it accepts, Go's tools read.
//!
//! ```text
//! dump    = [ block { "\n" block } ]
//! block   = "goroutine " N " [" status [ " (leaked)" ] [ ", " K " minutes" ]
//!           [ ", locked to thread" ] "]:\n" frame { frame | elided } [ created ]
//! frame   = function "(...)\n" place "\n"
//! elided  = "..." N " frames elided...\n"
//! created = "created by " function [ " in goroutine " N ] "\n" place "\n"
//! place   = "\t/" path ".rs:" LINE " +0x" HEX
//! ```
//!
//! In a dump for tools that know Go's files only the path ends in `.rs.go`; C code that was
//! compiled with line tables has its own ending.

/// What a status can be. A task that waits shows its reason instead.
const STATES: [&str; 8] =
    ["idle", "runnable", "running", "syscall", "dead", "copystack", "preempted", "leaked"];
const REASONS: [&str; 22] = [
    "IO wait",
    "semacquire",
    "sleep",
    "chan receive (nil chan)",
    "chan send (nil chan)",
    "select (no cases)",
    "select",
    "chan receive",
    "chan send",
    "sync.Cond.Wait",
    "sync.Mutex.Lock",
    "sync.RWMutex.RLock",
    "sync.RWMutex.Lock",
    "sync.WaitGroup.Wait",
    "preempted",
    "coroutine",
    "join",
    "sync.Once.Do",
    "sync.Semaphore.Acquire",
    "sync.Barrier.Wait",
    "offload",
    "block_on",
];

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    pub(crate) id: u64,
    pub(crate) status: &'a str,
    pub(crate) leaked: bool,
    pub(crate) minutes: Option<u64>,
    pub(crate) locked: bool,
    pub(crate) frames: Vec<Frame<'a>>,
    pub(crate) created_by: Option<Created<'a>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) function: &'a str,
    pub(crate) place: Place<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Created<'a> {
    pub(crate) function: &'a str,
    pub(crate) parent: Option<u64>,
    pub(crate) place: Place<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) path: &'a str,
    pub(crate) line: u32,
}

/// Parses a whole dump, or says which line is wrong and why.
pub(crate) fn parse(dump: &str) -> Result<Vec<Block<'_>>, String> {
    if dump.is_empty() {
        return Ok(Vec::new());
    }
    if !dump.ends_with('\n') || dump.ends_with("\n\n") {
        return Err("does not end with one line break".to_owned());
    }
    let mut at = 1;
    let mut blocks = Vec::new();
    for text in dump[..dump.len() - 1].split("\n\n") {
        let lines: Vec<_> = text.split('\n').collect();
        let (block, used) = block(&lines).map_err(|(line, why)| {
            let shown = lines.get(line).copied().unwrap_or("the end of the block");
            format!("line {}: {why}: {shown:?}", at + line)
        })?;
        if used != lines.len() {
            return Err(format!("line {}: more than a block: {:?}", at + used, lines[used]));
        }
        at += lines.len() + 1;
        blocks.push(block);
    }
    Ok(blocks)
}

type Bad = (usize, &'static str);

fn block<'a>(lines: &[&'a str]) -> Result<(Block<'a>, usize), Bad> {
    let line = |n: usize| lines.get(n).copied().ok_or((n, "one line too few"));
    let mut block = header(line(0)?).map_err(|why| (0, why))?;
    let mut at = 1;
    while let Ok(text) = line(at)
        && !text.starts_with("created by ")
    {
        if let Some(elided) = text.strip_prefix("...") {
            let elided = elided.strip_suffix(" frames elided...").ok_or((at, "no frame"))?;
            number(elided).map_err(|why| (at, why))?;
            if block.frames.is_empty() {
                return Err((at, "the first frames are not there"));
            }
            at += 1;
            continue;
        }
        let function = text.strip_suffix("(...)").ok_or((at, "no frame"))?;
        let function = name(function).map_err(|why| (at, why))?;
        let (place, _) = place(line(at + 1)?).map_err(|why| (at + 1, why))?;
        block.frames.push(Frame { function, place });
        at += 2;
    }
    if block.frames.is_empty() {
        return Err((at, "no frame at all"));
    }
    if let Ok(text) = line(at) {
        let text = text.strip_prefix("created by ").ok_or((at, "no creator"))?;
        let (function, parent) = match text.rsplit_once(" in goroutine ") {
            Some((function, parent)) => (function, Some(number(parent).map_err(|why| (at, why))?)),
            None => (text, None),
        };
        let function = name(function).map_err(|why| (at, why))?;
        let (place, offset) = place(line(at + 1)?).map_err(|why| (at + 1, why))?;
        if offset != 0 {
            return Err((at + 1, "the place of a creator has no offset"));
        }
        block.created_by = Some(Created { function, parent, place });
        at += 2;
    }
    Ok((block, at))
}

fn header(line: &str) -> Result<Block<'_>, &'static str> {
    let rest = line.strip_prefix("goroutine ").ok_or("no header")?;
    let (id, rest) = rest.split_once(" [").ok_or("no status")?;
    let rest = rest.strip_suffix("]:").ok_or("the header does not end with ]:")?;
    let (rest, locked) = optional(rest, ", locked to thread");
    let (rest, minutes) = match rest.strip_suffix(" minutes").and_then(|r| r.rsplit_once(", ")) {
        Some((rest, minutes)) => (rest, Some(number(minutes)?)),
        None => (rest, None),
    };
    let (status, leaked) = optional(rest, " (leaked)");
    let waits = REASONS.contains(&status);
    if !waits && !STATES.contains(&status) {
        return Err("a status that does not exist");
    }
    if leaked && !waits {
        return Err("leaked, but it does not wait");
    }
    if minutes.is_some() && !waits && status != "syscall" {
        return Err("minutes, but it neither waits nor is it in a system call");
    }
    Ok(Block { id: number(id)?, status, leaked, minutes, locked, frames: vec![], created_by: None })
}

fn optional<'a>(text: &'a str, suffix: &str) -> (&'a str, bool) {
    text.strip_suffix(suffix).map_or((text, false), |rest| (rest, true))
}

/// A positive number as Go prints it.
fn number(text: &str) -> Result<u64, &'static str> {
    if text.is_empty() || text.starts_with('0') || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err("not a positive number");
    }
    text.parse().map_err(|_| "a number that is too large")
}

/// A path of a function: no control characters, and none of the words by which
/// tools tell lines apart.
fn name(text: &str) -> Result<&str, &'static str> {
    let bad = text.is_empty()
        || text.starts_with([' ', '\t'])
        || text.ends_with(' ')
        || text.contains(char::is_control)
        || text.contains("goroutine ");
    if bad { Err("not the name of a function") } else { Ok(text) }
}

fn place(line: &str) -> Result<(Place<'_>, u64), &'static str> {
    let rest = line.strip_prefix('\t').ok_or("a place begins with a tab")?;
    let (rest, offset) = rest.rsplit_once(" +0x").ok_or("no offset")?;
    let (path, line) = rest.rsplit_once(':').ok_or("no line")?;
    let source =
        [".rs", ".c", ".h", ".S"].iter().any(|end| path.trim_end_matches(".go").ends_with(end));
    if !path.starts_with('/') || !source || path.contains(char::is_control) {
        return Err("not the absolute path of a source file");
    }
    if offset.is_empty() || offset.bytes().any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err("an offset is hexadecimal");
    }
    let offset = u64::from_str_radix(offset, 16).map_err(|_| "an offset that is too large")?;
    let line = u32::try_from(number(line)?).map_err(|_| "a line that is too large")?;
    Ok((Place { path, line }, offset))
}

/// What must be true of any text: it is refused, or all of its lines are in what was
/// understood, and two of it are a dump, too.
pub(crate) fn check(text: &str) {
    let Ok(blocks) = parse(text) else { return };
    let lines = |block: &Block<'_>| {
        1 + 2 * block.frames.len() + 2 * usize::from(block.created_by.is_some())
    };
    let elides = |line: &&str| line.starts_with("...") && line.ends_with(" frames elided...");
    let elided = text.lines().filter(elides).count();
    let blanks = blocks.len().saturating_sub(1);
    let understood = blocks.iter().map(lines).sum::<usize>() + elided + blanks;
    assert_eq!(understood, text.lines().count(), "{text:?}");
    if !text.is_empty() {
        let two = format!("{text}\n{text}");
        assert_eq!(parse(&two).map(|both| both.len()), Ok(2 * blocks.len()), "{text:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "goroutine 7 [chan send (leaked), 3 minutes]:\n\
        app::leak::{{closure}}(...)\n\
        \t/src/app.rs:15 +0x1f\n\
        created by app::leak in goroutine 1\n\
        \t/src/app.rs:14 +0x0\n\
        \n\
        goroutine 8 [running, locked to thread]:\n\
        inner(...)\n\
        \t/src/a b.rs:1 +0x0\n\
        ...7 frames elided...\n\
        outer(...)\n\
        \t/src/app.rs:2 +0x0\n";

    #[test]
    fn a_good_dump_is_understood() {
        let blocks = parse(GOOD).unwrap();
        let [first, second] = blocks.as_slice() else { panic!("{blocks:?}") };
        assert_eq!((first.id, first.status, first.minutes), (7, "chan send", Some(3)));
        assert_eq!((first.leaked, first.locked), (true, false));
        assert_eq!(first.frames[0].function, "app::leak::{{closure}}");
        assert_eq!(first.frames[0].place, Place { path: "/src/app.rs", line: 15 });
        let made = first.created_by.as_ref().unwrap();
        assert_eq!((made.function, made.parent, made.place.line), ("app::leak", Some(1), 14));
        assert_eq!((second.id, second.status, second.locked), (8, "running", true));
        assert_eq!((second.frames.len(), &second.created_by), (2, &None));
    }

    /// Each change of the good dump makes a bad one.
    #[test]
    fn bad_dumps_are_rejected() {
        let changes = [
            ("goroutine 7", "goroutine 0"),
            ("goroutine 7", "goroutine 07"),
            ("goroutine 7", "goroutine x"),
            ("goroutine 7", "Goroutine 7"),
            ("chan send", "chan sending"),
            ("chan send (leaked)", "waiting (leaked)"),
            ("chan send (leaked)", "(leaked)"),
            (", 3 minutes", ", 0 minutes"),
            (", 3 minutes", ", 3 hours"),
            (", 3 minutes]:", ", 3 minutes]"),
            ("running, locked to thread", "running (leaked), locked to thread"),
            ("running, locked to thread", "running, 2 minutes, locked to thread"),
            ("running, locked to thread", "running, locked"),
            ("{{closure}}(...)", "{{closure}}()"),
            ("{{closure}}(...)", "{{closure}}"),
            ("inner(...)", "(...)"),
            ("\t/src/app.rs:15", "/src/app.rs:15"),
            ("\t/src/app.rs:15", "\tsrc/app.rs:15"),
            ("\t/src/app.rs:15", "\t/src/app.go:15"),
            ("\t/src/app.rs:15", "\t/src/app.rs"),
            ("app.rs:15 +0x1f", "app.rs:15"),
            ("+0x1f", "+0x1F"),
            ("+0x1f", "+31"),
            ("app.rs:14 +0x0", "app.rs:14 +0x4"),
            ("created by app::leak", "created by "),
            ("in goroutine 1", "in goroutine 01"),
            ("in goroutine 1\n\t/src/app.rs:14 +0x0\n", "in goroutine 1\n"),
            ("\n\ngoroutine 8", "\ngoroutine 8"),
            ("\n\ngoroutine 8", "\n\n\ngoroutine 8"),
            ("app.rs:2 +0x0\n", "app.rs:2 +0x0"),
            ("app.rs:2 +0x0\n", "app.rs:2 +0x0\n\n"),
            ("app.rs:2 +0x0\n", "app.rs:2 +0x0\nexit status 2\n"),
            ("inner(...)\n\t/src/a b.rs:1 +0x0\n", ""),
            ("...7 frames", "...0 frames"),
            ("7 frames elided...", "7 frames elided"),
            ("7 frames elided...", "7 frames..."),
        ];
        for (from, to) in changes {
            let bad = GOOD.replacen(from, to, 1);
            assert_ne!(bad, GOOD, "{from:?} is not there");
            assert!(parse(&bad).is_err(), "{from:?} => {to:?} was accepted:\n{bad}");
        }
    }

    use proptest::prelude::{ProptestConfig, any, prop, proptest};

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 2_000, failure_persistence: None, ..ProptestConfig::default()
        })]

        /// Some lines of the good dump, in any order, with some characters changed.
        #[test]
        fn any_dump(
            lines in prop::collection::vec(prop::sample::select(GOOD.lines().collect::<Vec<_>>()), 0..9),
            changes in prop::collection::vec((any::<usize>(), any::<char>()), 0..2),
        ) {
            let mut text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            for (at, new) in changes {
                let at = text.floor_char_boundary(at % (text.len() + 1));
                text.insert(at, new);
            }
            check(&text);
            check(&GOOD[..GOOD.floor_char_boundary(text.len() % GOOD.len())]);
            check(GOOD);
            // Found by libFuzzer.
            check(&GOOD.replace("by app::leak", "by app::leak frames elided..."));
        }
    }
}
