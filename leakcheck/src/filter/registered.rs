//! Rules that stand in the program, where those who know why write them.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Candidate, Rule};

/// A rule of the whole program, as it was written; made by
/// [`ignore!`](crate::ignore).
#[derive(Debug, Clone, Copy)]
pub struct Ignore {
    criteria: &'static [Criterion],
    reason: &'static str,
    file: &'static str,
    line: u32,
}

/// The rule at work: a task is left out if it fits every criterion.
struct Active {
    written: &'static Ignore,
    rules: Vec<Rule>,
    matched: AtomicBool,
}

/// What a task has to fit; as in the macro.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "they are the macro's arguments")]
pub enum Criterion {
    Name(&'static str),
    Label(&'static str, &'static str),
    Entry(&'static str),
    TopFunction(&'static str),
    AnyFunction(&'static str),
    CreatedBy(&'static str),
    Site(&'static str),
}

inventory::collect!(Ignore);

impl Ignore {
    /// A rule that stands at this place.
    #[must_use]
    pub const fn new(
        criteria: &'static [Criterion],
        reason: &'static str,
        file: &'static str,
        line: u32,
    ) -> Ignore {
        Ignore { criteria, reason, file, line }
    }
}

impl Active {
    fn new(written: &'static Ignore) -> Active {
        let rules = written.criteria.iter().map(Criterion::rule).collect();
        Active { written, rules, matched: AtomicBool::new(false) }
    }

    fn matches(&self, candidate: &Candidate<'_>) -> bool {
        let matches = self.rules.iter().all(|rule| rule.matches(candidate));
        if matches {
            self.matched.store(true, Ordering::Relaxed);
        }
        matches
    }
}

/// All rules of the program, by where they stand.
static ACTIVE: LazyLock<Vec<Active>> = LazyLock::new(|| {
    let mut all: Vec<_> = inventory::iter::<Ignore>.into_iter().map(Active::new).collect();
    all.sort_by_key(|it| (it.written.file, it.written.line));
    all
});

impl Criterion {
    fn rule(&self) -> Rule {
        match *self {
            Criterion::Name(it) => Rule::Name(it.into()),
            Criterion::Label(key, value) => Rule::Label(key.to_owned(), value.into()),
            Criterion::Entry(it) => Rule::Entry(it.into()),
            Criterion::TopFunction(it) => Rule::Top(it.into()),
            Criterion::AnyFunction(it) => Rule::Any(it.into()),
            Criterion::CreatedBy(it) => Rule::CreatedBy(it.into()),
            Criterion::Site(it) => Rule::Site(it.into()),
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, value) = match *self {
            Criterion::Name(it) => ("name", it),
            Criterion::Label(key, value) => return write!(f, "label = \"{key}={value}\""),
            Criterion::Entry(it) => ("entry", it),
            Criterion::TopFunction(it) => ("top_function", it),
            Criterion::AnyFunction(it) => ("any_function", it),
            Criterion::CreatedBy(it) => ("created_by", it),
            Criterion::Site(it) => ("site", it),
        };
        write!(f, "{key} = \"{value}\"")
    }
}

/// Whether a registered rule names it. All are asked: each is to be seen at work.
pub(super) fn matches(candidate: &Candidate<'_>) -> bool {
    ACTIVE.iter().filter(|rule| rule.matches(candidate)).count() > 0
}

/// Whether a registered rule will ask of everything which functions it is in.
#[cfg(runtime)]
pub(super) fn want_functions() -> bool {
    ACTIVE.iter().any(|rule| rule.rules.iter().any(Rule::wants_functions))
}

/// The rules of [`ignore!`](crate::ignore) that have named no task so far.
///
/// Rules are asked about tasks that are alive when a check looks, daemons not
/// included; a check that finds nothing alive looks at nothing. So a rule that is
/// unused in one test binary may be needed in another.
///
/// ```standalone_crate
/// leakcheck::ignore! { name = "no such task", reason = "an example" }
///
/// let unused = leakcheck::unused_ignores();
/// assert_eq!(unused.len(), 1);
/// assert_eq!(unused[0].reason(), "an example");
/// ```
#[must_use]
pub fn unused_ignores() -> Vec<UnusedIgnore> {
    // Where nothing is checked, that nothing matched means nothing.
    let all = ACTIVE.iter().filter(|_| cfg!(runtime));
    let unused = all.filter(|rule| !rule.matched.load(Ordering::Relaxed));
    unused.map(|rule| UnusedIgnore(rule.written)).collect()
}

/// Writes the unused rules to standard error, if the environment asks for that.
///
/// # Panics
///
/// When `LEAKCHECK_UNUSED_IGNORES` is neither 0 nor 1.
#[allow(dead_code, reason = "for the end of a wrapped main")]
pub(crate) fn print_unused_ignores() {
    if crate::settings::asks_for_unused_ignores() {
        for unused in unused_ignores() {
            eprintln!("leakcheck: {unused}");
        }
    }
}

/// An [`ignore!`](crate::ignore) that has named no task so far; see
/// [`unused_ignores`].
///
/// Its `Display` says all of it in a line.
#[derive(Clone, Copy)]
pub struct UnusedIgnore(&'static Ignore);

impl UnusedIgnore {
    /// The reason that stands there.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.0.reason
    }

    /// The file in which it stands.
    #[must_use]
    pub fn file(&self) -> &'static str {
        self.0.file
    }

    /// The line in which it stands.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.0.line
    }
}

impl fmt::Display for UnusedIgnore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ignore { criteria, reason, file, line, .. } = self.0;
        write!(f, "an ignore has matched nothing: ")?;
        for (n, criterion) in criteria.iter().enumerate() {
            write!(f, "{}{criterion}", if n > 0 { ", " } else { "" })?;
        }
        write!(f, ", reason = \"{reason}\", at {file}:{line}")
    }
}

impl fmt::Debug for UnusedIgnore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnusedIgnore({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRITERIA: &[Criterion] =
        &[Criterion::Name("pool-*"), Criterion::Label("tier", "cache"), Criterion::Site("a.rs")];
    static WRITTEN: Ignore = Ignore::new(CRITERIA, "a reason", "src/lib.rs", 7);

    #[test]
    fn every_criterion_has_to_fit() {
        let labels = [("tier".to_owned(), "cache".to_owned())];
        let fits = || Candidate {
            name: Some("pool-1"),
            labels: &labels,
            site: Some("src/a.rs"),
            ..Candidate::new("f", &())
        };
        let rule = Active::new(&WRITTEN);
        assert!(!rule.matches(&Candidate { name: Some("pool"), ..fits() }));
        assert!(!rule.matches(&Candidate { labels: &[], ..fits() }));
        assert!(!rule.matches(&Candidate { site: None, ..fits() }));
        assert!(!rule.matched.load(Ordering::Relaxed));
        assert!(rule.matches(&fits()));
        assert!(rule.matched.load(Ordering::Relaxed));
    }

    #[test]
    fn it_is_shown_as_it_was_written() {
        let shown = "an ignore has matched nothing: name = \"pool-*\", label = \"tier=cache\", \
                     site = \"a.rs\", reason = \"a reason\", at src/lib.rs:7";
        assert_eq!(UnusedIgnore(&WRITTEN).to_string(), shown);
    }
}
