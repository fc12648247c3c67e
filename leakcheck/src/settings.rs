//! Times and switches of a check, and who states them.
//!
//! For each setting by itself, the first of these that states it decides:
//!
//! 1. the check: `Options`, `Search`, the attribute's arguments;
//! 2. the environment, for the machine that the test runs on;
//! 3. the crate: [`defaults!`](crate::defaults);
//! 4. the built-in default.
//!
//! Nonsense is an error wherever it stands: a check with other settings than
//! asked for would prove nothing.

use std::env;
use std::ffi::{OsStr, OsString};
use std::sync::OnceLock;
use std::time::Duration;

const SETTLE: Duration = Duration::from_millis(20);
const DEADLINE: Duration = Duration::from_secs(1);
const HANG: Duration = Duration::from_secs(10);

const SETTLE_VAR: &str = "LEAKCHECK_SETTLE_MS";
const DEADLINE_VAR: &str = "LEAKCHECK_DEADLINE_MS";
const HANG_VAR: &str = "LEAKCHECK_HANG_MS";
const THREADS_VAR: &str = "LEAKCHECK_THREADS";
const CREATION_STACKS_VAR: &str = "LEAKCHECK_CREATION_STACKS";
const UNUSED_IGNORES_VAR: &str = "LEAKCHECK_UNUSED_IGNORES";
pub(crate) const WRAP_THREADS_VAR: &str = "LEAKCHECK_WRAP_THREADS";
pub(crate) const COLOR_VAR: &str = "LEAKCHECK_COLOR";
pub(crate) const GITHUB_VAR: &str = "LEAKCHECK_GITHUB";
pub(crate) const JSON_VAR: &str = "LEAKCHECK_JSON";

/// All that the crate reads; the last three in `report/output.rs`.
const VARIABLES: [&str; 10] = [
    SETTLE_VAR,
    DEADLINE_VAR,
    HANG_VAR,
    THREADS_VAR,
    CREATION_STACKS_VAR,
    UNUSED_IGNORES_VAR,
    WRAP_THREADS_VAR,
    COLOR_VAR,
    GITHUB_VAR,
    JSON_VAR,
];

/// What somebody states, and what they leave open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stated {
    pub(crate) settle: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) hang: Option<Duration>,
    pub(crate) threads: Option<bool>,
    pub(crate) creation_stacks: Option<bool>,
}

impl Stated {
    pub(crate) const fn nothing() -> Stated {
        Stated { settle: None, deadline: None, hang: None, threads: None, creation_stacks: None }
    }

    /// This where it states something, else the other.
    fn or(self, other: Stated) -> Stated {
        Stated {
            settle: self.settle.or(other.settle),
            deadline: self.deadline.or(other.deadline),
            hang: self.hang.or(other.hang),
            threads: self.threads.or(other.threads),
            creation_stacks: self.creation_stacks.or(other.creation_stacks),
        }
    }

    /// What is in force for a check of the crate that states this; without a
    /// crate, for one of which the crate is not known.
    ///
    /// # Panics
    ///
    /// When the environment or the crates state nonsense.
    pub(crate) fn in_force(self, krate: Option<&str>) -> Stated {
        let stated = self.or(must(environment())).or(must(crates()).of(krate));
        if krate.is_none() && !stated.has_all_times() {
            must(crates().and_then(Crates::must_be_one));
        }
        stated
    }

    /// The times to use.
    pub(crate) fn timing(self, krate: Option<&str>) -> Timing {
        let stated = self.in_force(krate);
        Timing {
            settle: stated.settle.unwrap_or(SETTLE),
            deadline: stated.deadline.unwrap_or(DEADLINE),
            hang: stated.hang.unwrap_or(HANG),
        }
    }

    fn has_all_times(&self) -> bool {
        self.settle.is_some() && self.deadline.is_some() && self.hang.is_some()
    }
}

/// How long a verdict may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timing {
    /// Everything must have stood still for so long.
    pub(crate) settle: Duration,
    /// What could still end is waited for so long.
    pub(crate) deadline: Duration,
    /// A test's body that is blocked for so long is reported; zero: never.
    pub(crate) hang: Duration,
}

/// Whether ignores that never matched are to be printed when a wrapped main ends.
///
/// # Panics
///
/// When the variable is neither 0 nor 1.
pub(crate) fn asks_for_unused_ignores() -> bool {
    let value = env::var_os(UNUSED_IGNORES_VAR);
    must(switch(UNUSED_IGNORES_VAR, value.as_deref())).unwrap_or(false)
}

/// Whether the creation stacks of tasks are kept that no check has asked about: by the
/// environment, or by the crate, as far as it is known which. Nonsense is said elsewhere.
pub(crate) fn keeps_creation_stacks(krate: Option<&str>) -> bool {
    let crates = || crates().map_or(Stated::nothing(), |crates| crates.of(krate));
    environment().is_ok_and(|it| it.or(crates()).creation_stacks.unwrap_or(false))
}

#[track_caller]
fn must<T>(read: Result<T, String>) -> T {
    read.unwrap_or_else(|message| panic!("leakcheck: {message}"))
}

/// The environment's settings, read once.
fn environment() -> Result<Stated, String> {
    static READ: OnceLock<Result<Stated, String>> = OnceLock::new();
    let read = || {
        let milliseconds = |name| milliseconds(name, env::var_os(name).as_deref());
        let switch = |name| switch(name, env::var_os(name).as_deref());
        none_is_misspelt(env::vars_os().map(|(name, _)| name))?;
        // Was taken for 1 when the first thread was made, which cannot fail for that.
        switch(WRAP_THREADS_VAR)?;
        Ok(Stated {
            settle: milliseconds(SETTLE_VAR)?,
            deadline: milliseconds(DEADLINE_VAR)?,
            hang: milliseconds(HANG_VAR)?,
            threads: switch(THREADS_VAR)?,
            creation_stacks: switch(CREATION_STACKS_VAR)?,
        })
    };
    READ.get_or_init(read).clone()
}

/// Refuses variables that are none of ours, but look much like one: their setting is
/// missing.
fn none_is_misspelt(names: impl Iterator<Item = OsString>) -> Result<(), String> {
    for name in names {
        let Some(name) = name.to_str() else { continue };
        if !name.starts_with("LEAKCHECK_") || VARIABLES.contains(&name) {
            continue;
        }
        let score = |known: &&str| strsim::damerau_levenshtein(known, name);
        let near = VARIABLES.iter().min_by_key(|known| score(known)).filter(|it| score(it) <= 3);
        if let Some(near) = near {
            return Err(format!("{name} is no setting; did you mean {near}?"));
        }
    }
    Ok(())
}

fn milliseconds(name: &str, value: Option<&OsStr>) -> Result<Option<Duration>, String> {
    let Some(value) = value else { return Ok(None) };
    let digits = value.to_str().filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|text| text.parse().ok()) {
        Some(number) => Ok(Some(Duration::from_millis(number))),
        None => Err(format!(
            "{name} is `{}`, which is not a whole number of milliseconds (such as {name}=20)",
            value.to_string_lossy()
        )),
    }
}

fn switch(name: &str, value: Option<&OsStr>) -> Result<Option<bool>, String> {
    match value.map(|it| it.to_str()) {
        None => Ok(None),
        Some(Some("0")) => Ok(Some(false)),
        Some(Some("1")) => Ok(Some(true)),
        Some(_) => Err(format!(
            "{name} is `{}`, which is neither 0 nor 1",
            value.unwrap_or_default().to_string_lossy()
        )),
    }
}

/// Whatever it is, a value is what it says or an error that names it.
#[cfg(all(runtime, any(test, fuzzing)))]
pub(crate) fn check(value: &[u8]) {
    use std::os::unix::ffi::OsStrExt;

    let text = std::str::from_utf8(value).ok();
    let value = OsStr::from_bytes(value);
    match milliseconds("NAME", Some(value)) {
        Ok(found) => {
            let number = text.and_then(|text| text.parse().ok()).map(Duration::from_millis);
            assert!(found.is_some() && found == number, "{value:?} is {found:?}");
        }
        Err(error) => assert!(error.starts_with("NAME is `")),
    }
    match switch("NAME", Some(value)) {
        Ok(found) => assert_eq!(text, Some(if found == Some(true) { "1" } else { "0" })),
        Err(error) => assert!(error.starts_with("NAME is `")),
    }
}

/// What a crate states for all of its checks; made by
/// [`defaults!`](crate::defaults).
#[derive(Debug)]
pub struct Defaults {
    /// The module that the macro was called in.
    module: &'static str,
    file: &'static str,
    line: u32,
    stated: Stated,
}

inventory::collect!(Defaults);

#[allow(missing_docs, reason = "its methods are the macro's arguments")]
impl Defaults {
    /// What states nothing, at this place.
    #[must_use]
    pub const fn new(module: &'static str, file: &'static str, line: u32) -> Defaults {
        Defaults { module, file, line, stated: Stated::nothing() }
    }

    #[must_use]
    pub const fn settle(mut self, settle: Duration) -> Defaults {
        self.stated.settle = Some(settle);
        self
    }

    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Defaults {
        self.stated.deadline = Some(deadline);
        self
    }

    #[must_use]
    pub const fn hang(mut self, hang: Duration) -> Defaults {
        self.stated.hang = Some(hang);
        self
    }

    #[must_use]
    pub const fn threads(mut self, threads: bool) -> Defaults {
        self.stated.threads = Some(threads);
        self
    }

    #[must_use]
    pub const fn creation_stacks(mut self, on: bool) -> Defaults {
        self.stated.creation_stacks = Some(on);
        self
    }

    fn krate(&self) -> &'static str {
        krate_of(self.module)
    }
}

/// The crate that a path begins with.
pub(crate) fn krate_of(path: &str) -> &str {
    path.split_once("::").map_or(path, |(krate, _)| krate)
}

/// The defaults of all crates in the process.
#[derive(Debug)]
struct Crates<'a>(Vec<&'a Defaults>);

fn crates() -> Result<&'static Crates<'static>, String> {
    static READ: OnceLock<Result<Crates<'static>, String>> = OnceLock::new();
    let read = READ.get_or_init(|| Crates::new(inventory::iter::<Defaults>.into_iter().collect()));
    read.as_ref().map_err(String::clone)
}

impl<'a> Crates<'a> {
    /// A crate states its defaults once.
    fn new(mut all: Vec<&'a Defaults>) -> Result<Crates<'a>, String> {
        all.sort_by_key(|it| (it.krate(), it.file, it.line));
        match all.windows(2).find(|pair| pair[0].krate() == pair[1].krate()) {
            Some(pair) => Err(format!(
                "crate `{}` states its defaults twice: at {}:{} and {}:{}",
                pair[0].krate(),
                pair[0].file,
                pair[0].line,
                pair[1].file,
                pair[1].line
            )),
            None => Ok(Crates(all)),
        }
    }

    /// What the crate states; if it is not known which, what the only one does.
    fn of(&self, krate: Option<&str>) -> Stated {
        let found = match (krate, &self.0[..]) {
            (Some(krate), all) => all.iter().find(|it| it.krate() == krate).copied(),
            (None, [only]) => Some(*only),
            (None, _) => None,
        };
        found.map_or(Stated::nothing(), |it| it.stated)
    }

    /// With several it cannot be known which a guard or a search belongs to.
    fn must_be_one(&self) -> Result<(), String> {
        match &self.0[..] {
            [] | [_] => Ok(()),
            [one, other, ..] => Err(format!(
                "crates `{}` ({}:{}) and `{}` ({}:{}) both state defaults, and a guard or a \
                 search knows not whose it is: state its settle, deadline and hang, or take \
                 one of the `leakcheck::defaults!` out of this program",
                one.krate(),
                one.file,
                one.line,
                other.krate(),
                other.file,
                other.line
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_environment_is_read_strictly() {
        let read = |text: &str| milliseconds("X_MS", Some(OsStr::new(text)));
        assert_eq!(milliseconds("X_MS", None), Ok(None));
        assert_eq!(read("0"), Ok(Some(Duration::ZERO)));
        assert_eq!(read("250"), Ok(Some(MS * 250)));
        for wrong in ["", "20ms", "-1", "+1", "1.5", " 20", "99999999999999999999"] {
            let expected = format!(
                "X_MS is `{wrong}`, which is not a whole number of milliseconds (such as X_MS=20)"
            );
            assert_eq!(read(wrong), Err(expected));
        }
    }

    #[test]
    fn switches_are_read_strictly() {
        let read = |text: &str| switch("X", Some(OsStr::new(text)));
        assert_eq!(switch("X", None), Ok(None));
        assert_eq!((read("0"), read("1")), (Ok(Some(false)), Ok(Some(true))));
        for wrong in ["", "2", "true", "on", " 1"] {
            assert_eq!(read(wrong), Err(format!("X is `{wrong}`, which is neither 0 nor 1")));
        }
    }

    #[test]
    fn a_variable_that_is_misspelt_is_none() {
        let all = |names: &[&str]| none_is_misspelt(names.iter().map(OsString::from));
        assert_eq!(all(&VARIABLES), Ok(()));
        // What looks like none of them may be for a program of the user's.
        assert_eq!(all(&["LEAKCHECK_REPORTS_FOLDER", "DEADLINE_MS", "LEAKCHECK", "PATH"]), Ok(()));
        for (wrong, right) in [
            ("LEAKCHECK_DEADLINE", "LEAKCHECK_DEADLINE_MS"),
            ("LEAKCHECK_SETLE_MS", "LEAKCHECK_SETTLE_MS"),
            ("LEAKCHECK_THREAD", "LEAKCHECK_THREADS"),
            ("LEAKCHECK_COLOUR", "LEAKCHECK_COLOR"),
        ] {
            let expected = format!("{wrong} is no setting; did you mean {right}?");
            assert_eq!(all(&["PATH", wrong]), Err(expected));
        }
    }

    #[test]
    fn the_first_that_states_a_setting_decides_it() {
        let check = Stated { settle: Some(MS), ..Stated::nothing() };
        let environment =
            Stated { settle: Some(MS * 2), deadline: Some(MS * 2), ..Stated::nothing() };
        let krate = Stated {
            settle: Some(MS * 3),
            deadline: Some(MS * 3),
            hang: Some(MS * 3),
            threads: Some(true),
            creation_stacks: Some(true),
        };
        let all = check.or(environment).or(krate);
        assert_eq!((all.settle, all.deadline, all.hang), (Some(MS), Some(MS * 2), Some(MS * 3)));
        assert_eq!((all.threads, all.creation_stacks), (Some(true), Some(true)));
    }

    #[test]
    fn what_nobody_states_is_built_in() {
        // No crate of this binary states defaults.
        let timing = Stated { deadline: Some(MS), ..Stated::nothing() }.timing(Some("leakcheck"));
        assert_eq!(timing.deadline, MS);
        assert_eq!(timing.hang, must(environment()).hang.unwrap_or(HANG));
    }

    #[test]
    fn a_crate_states_its_own() {
        let a = Defaults::new("a::inner", "a.rs", 1).settle(MS);
        let b = Defaults::new("b", "b.rs", 2).settle(MS * 2).hang(MS);
        let both = Crates::new(vec![&b, &a]).unwrap();
        assert_eq!(both.of(Some("a")).settle, Some(MS));
        assert_eq!(both.of(Some("b")).settle, Some(MS * 2));
        assert_eq!(both.of(Some("c")), Stated::nothing());
        assert_eq!(both.of(None), Stated::nothing());
        let one = Crates::new(vec![&b]).unwrap();
        assert_eq!(one.of(None).hang, Some(MS));
        assert_eq!(one.must_be_one(), Ok(()));
    }

    #[test]
    fn what_cannot_be_told_apart_is_an_error() {
        let a = Defaults::new("a", "a.rs", 1).settle(MS);
        let a_again = Defaults::new("a::inner", "inner.rs", 7);
        let b = Defaults::new("b", "b.rs", 2);
        assert_eq!(
            Crates::new(vec![&a_again, &b, &a]).unwrap_err(),
            "crate `a` states its defaults twice: at a.rs:1 and inner.rs:7"
        );
        let both = Crates::new(vec![&a, &b]).unwrap();
        let message = both.must_be_one().unwrap_err();
        assert!(message.starts_with("crates `a` (a.rs:1) and `b` (b.rs:2) both"), "{message}");
    }
}
