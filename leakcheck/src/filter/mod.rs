//! Which tasks are no leaks.
//!
//! | file | decides |
//! |---|---|
//! | `pattern` | what a name has to look like |
//! | `spelling` | which names mean the same function |
//! | `candidate` | what is known of the task that is asked about |
//! | `registered` | which rules stand in the program, and which of them never matched |

mod candidate;
mod pattern;
mod registered;
mod spelling;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use candidate::Candidate;
pub use pattern::Pattern;
pub use registered::{Criterion, Ignore, UnusedIgnore, unused_ignores};

#[allow(unused_imports, reason = "for other sources, and the wrapped main")]
pub(crate) use {candidate::Dear, registered::print_unused_ignores};

/// Tasks that a check leaves out.
///
/// Tasks that were built with `Builder::daemon` are always left out, and so are
/// those that [`ignore!`](crate::ignore) names somewhere in the program. A rule of a
/// filter is for those that somebody else's code makes. A task is left out if any rule
/// names it.
///
/// ```
/// use leakcheck::Filter;
///
/// let filter = Filter::new()
///     .ignore_name("metrics-*")
///     .ignore_created_by("my_crate::pool::start")
///     .ignore_site("src/pool.rs");
/// assert!(leakcheck::find(&filter).is_ok());
/// ```
///
/// What a rule matches is text or a [`Pattern`]. A task that is left out is not
/// reported, but it still counts as one that may wake others.
#[derive(Clone, Default)]
#[must_use = "a filter does nothing until it is given to a check"]
pub struct Filter {
    rules: Vec<Asked>,
}

/// A rule, and what came of it; the filter's clones share that.
#[derive(Clone)]
struct Asked {
    rule: Rule,
    /// It has named something, or was not asked about what another one had named.
    of_use: Arc<AtomicBool>,
}

#[derive(Clone)]
enum Rule {
    Name(Pattern),
    Label(String, Pattern),
    Entry(Pattern),
    Top(Pattern),
    Any(Pattern),
    CreatedBy(Pattern),
    Site(Pattern),
    Current(Arc<HashSet<u64>>),
    If(Arc<dyn Fn(&Candidate<'_>) -> bool + Send + Sync>),
}

impl Filter {
    /// A filter without rules.
    pub const fn new() -> Filter {
        Filter { rules: Vec::new() }
    }

    /// Leaves out tasks with such a name.
    pub fn ignore_name(self, name: impl Into<Pattern>) -> Filter {
        self.with(Rule::Name(name.into()))
    }

    /// Leaves out tasks whose label `key` has such a value.
    pub fn ignore_label(self, key: impl Into<String>, value: impl Into<Pattern>) -> Filter {
        self.with(Rule::Label(key.into(), value.into()))
    }

    /// Leaves out tasks that run such a function, or a closure inside it.
    pub fn ignore_entry(self, function: impl Into<Pattern>) -> Filter {
        self.with(Rule::Entry(function.into()))
    }

    /// Leaves out tasks that wait in a call which such a function makes (goleak:
    /// `IgnoreTopFunction`). A task that runs waits nowhere.
    ///
    /// Functions are looked up in the program's debug information; the first check of a
    /// process that asks for them may take some tenths of a second longer. Without such
    /// information, and where code was inlined, less is known.
    pub fn ignore_top_function(self, function: impl Into<Pattern>) -> Filter {
        self.with(Rule::Top(function.into()))
    }

    /// Leaves out tasks that are in such a function, however deep below it they wait
    /// (goleak: `IgnoreAnyFunction`). The function that made a task is none that it is
    /// in.
    pub fn ignore_any_function(self, function: impl Into<Pattern>) -> Filter {
        self.with(Rule::Any(function.into()))
    }

    /// Leaves out tasks that such a function made, or a task of such a function, or
    /// that descend from one (goleak: `IgnoreCreatedBy`, of the parent only). Ancestors
    /// that have ended count, too, the nearest 64; those beyond the parent only if they
    /// started their tasks after the first such filter was made or the first check of
    /// the process began. A task that was given a function, not a closure, shows as made
    /// by the function that its parent runs.
    pub fn ignore_created_by(self, function: impl Into<Pattern>) -> Filter {
        #[cfg(runtime)]
        gopark::inspect::keep_ancestors();
        self.with(Rule::CreatedBy(function.into()))
    }

    /// Leaves out tasks that wait in such a file. A task that runs waits nowhere.
    pub fn ignore_site(self, file: impl Into<Pattern>) -> Filter {
        self.with(Rule::Site(file.into()))
    }

    /// Leaves out the tasks that are alive now, wherever they were started (goleak:
    /// `IgnoreCurrent`). What they start later is not left out.
    ///
    /// ```
    /// use gopark::{chan, go};
    /// use leakcheck::{Filter, find};
    ///
    /// let (stop, stopped) = chan::rendezvous::<()>();
    /// let background = go(move || stopped.recv());
    /// let others = Filter::new().ignore_current();
    /// assert!(find(&others).is_ok());
    /// # drop(stop);
    /// # let _ = background.join();
    /// ```
    pub fn ignore_current(self) -> Filter {
        self.with(Rule::Current(Arc::new(alive_now())))
    }

    /// Leaves out what the function says yes to. It is called during a check, perhaps
    /// often: it should be quick, and starts no tasks.
    ///
    /// ```
    /// use leakcheck::Filter;
    ///
    /// let filter = Filter::new()
    ///     .ignore_if(|task| task.name().is_none() && task.label("tier") == Some("cache"));
    /// assert!(leakcheck::find(&filter).is_ok());
    /// ```
    pub fn ignore_if(self, f: impl Fn(&Candidate<'_>) -> bool + Send + Sync + 'static) -> Filter {
        self.with(Rule::If(Arc::new(f)))
    }

    fn with(mut self, rule: Rule) -> Filter {
        self.rules.push(Asked { rule, of_use: Arc::default() });
        self
    }

    /// Whether a rule will ask of everything which functions it is in. A predicate might,
    /// and gets it one by one.
    #[cfg(runtime)]
    pub(crate) fn wants_functions(&self) -> bool {
        registered::want_functions() || self.rules.iter().any(|it| it.rule.wants_functions())
    }

    /// Whether a rule of this filter names it, or one that is registered.
    pub(crate) fn matches(&self, candidate: &Candidate<'_>) -> bool {
        let mut named = registered::matches(candidate);
        for Asked { rule, of_use } in &self.rules {
            // Asking may be dear; who was not asked is given the benefit of the doubt.
            named = named || rule.matches(candidate);
            if named {
                of_use.store(true, Ordering::Relaxed);
            }
        }
        named
    }

    /// Rules that have named nothing, as far as they were asked: perhaps there is a mistake
    /// in them.
    #[cfg(any(runtime, test))]
    pub(crate) fn idle(&self) -> Vec<String> {
        let idle = self.rules.iter().filter(|it| !it.of_use.load(Ordering::Relaxed));
        // A set of tasks and a function have nothing that might be written wrong.
        let written = idle.filter(|it| !matches!(it.rule, Rule::Current(_) | Rule::If(_)));
        written.map(|it| format!("ignore_{:?}", it.rule)).collect()
    }
}

#[cfg(runtime)]
fn alive_now() -> HashSet<u64> {
    use gopark::inspect::{Kind, Snapshot};

    let all = Snapshot::all().tasks.into_iter();
    all.filter(|task| task.kind == Kind::Task).map(|task| task.id.get()).collect()
}

#[cfg(not(runtime))]
fn alive_now() -> HashSet<u64> {
    HashSet::new()
}

impl Rule {
    fn wants_functions(&self) -> bool {
        matches!(self, Rule::Top(_) | Rule::Any(_))
    }

    fn matches(&self, it: &Candidate<'_>) -> bool {
        match self {
            Rule::Name(name) => it.name().is_some_and(|its| name.matches_name(its)),
            Rule::Label(key, value) => it.label(key).is_some_and(|its| value.matches_name(its)),
            Rule::Entry(function) => function.matches_function(it.entry()),
            Rule::Top(function) => {
                it.top_function().is_some_and(|its| function.matches_function(its))
            }
            Rule::Any(function) => it.functions().any(|its| function.matches_function(its)),
            Rule::CreatedBy(function) => it.creators().any(|its| function.matches_function(its)),
            Rule::Site(file) => it.site().is_some_and(|its| file.matches_file(its)),
            Rule::Current(ids) => it.id.is_some_and(|id| ids.contains(&id)),
            Rule::If(f) => f(it),
        }
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<&Rule> = self.rules.iter().map(|it| &it.rule).collect();
        f.debug_tuple("Filter").field(&rules).finish()
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Name(it) => write!(f, "name {it:?}"),
            Rule::Label(key, it) => write!(f, "label {key:?} {it:?}"),
            Rule::Entry(it) => write!(f, "entry {it:?}"),
            Rule::Top(it) => write!(f, "top_function {it:?}"),
            Rule::Any(it) => write!(f, "any_function {it:?}"),
            Rule::CreatedBy(it) => write!(f, "created_by {it:?}"),
            Rule::Site(it) => write!(f, "site {it:?}"),
            Rule::Current(ids) => write!(f, "current ({} tasks)", ids.len()),
            Rule::If(_) => f.write_str("if (..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task in three functions, made by a pool that a server made.
    struct Known;

    impl Dear for Known {
        fn functions(&self) -> Vec<String> {
            ["queue::pop", "job::run", "pool::start::{{closure}}"].map(str::to_owned).into()
        }

        fn ancestors(&self) -> Vec<String> {
            ["server::serve::{{closure}}", "main::run"].map(str::to_owned).into()
        }
    }

    fn left_out(filter: Filter) -> bool {
        let labels = [("tier".to_owned(), "cache".to_owned())];
        filter.matches(&Candidate {
            id: Some(7),
            name: Some("worker-3"),
            labels: &labels,
            creator: "pool::start",
            created_in: "src/pool.rs",
            site: Some("src/queue.rs"),
            ..Candidate::new("pool::start::{{closure}}", &Known)
        })
    }

    fn unknown(filter: Filter) -> bool {
        filter.matches(&Candidate::new("pool::start::{{closure}}", &()))
    }

    #[test]
    fn no_rule_matches_nothing() {
        assert!(!left_out(Filter::new()));
    }

    #[test]
    fn rules_that_name_nothing_are_idle() {
        let filter = Filter::new()
            .ignore_created_by("pool::strat")
            .ignore_name("worker-*")
            .ignore_site("src/queue.rs")
            .ignore_label("tier", "web")
            .ignore_if(|_| false)
            .ignore_current();
        assert_eq!(filter.idle().len(), 4, "nobody has asked");
        assert!(left_out(filter.clone()));
        // The site was not asked: the name had decided.
        assert_eq!(
            filter.idle(),
            ["ignore_created_by exact(\"pool::strat\")"],
            "what stands before the name was asked, what stands behind was not"
        );
        assert!(Filter::new().idle().is_empty());
    }

    #[test]
    fn names_and_labels() {
        assert!(left_out(Filter::new().ignore_name("worker-?")));
        assert!(!left_out(Filter::new().ignore_name("worker")));
        assert!(!unknown(Filter::new().ignore_name("*")));
        assert!(left_out(Filter::new().ignore_label("tier", "cache")));
        assert!(!left_out(Filter::new().ignore_label("tier", "web")));
        assert!(!left_out(Filter::new().ignore_label("team", "*")));
    }

    #[test]
    fn the_top_function_is_the_one_that_waits() {
        assert!(left_out(Filter::new().ignore_top_function("queue::pop")));
        assert!(!left_out(Filter::new().ignore_top_function("job::run")));
        assert!(!left_out(Filter::new().ignore_top_function("pool::start")));
        assert!(!unknown(Filter::new().ignore_top_function("pool::start")), "it runs");
        let waits = Candidate { site: Some("a.rs"), ..Candidate::new("pool::start", &()) };
        assert!(Filter::new().ignore_top_function("pool::start").matches(&waits), "known no more");
    }

    #[test]
    fn any_function_is_one_that_it_is_in() {
        for function in ["queue::pop", "job::run", "pool::start"] {
            assert!(left_out(Filter::new().ignore_any_function(function)), "{function}");
        }
        assert!(!left_out(Filter::new().ignore_any_function("server::serve")), "a creator");
        assert!(unknown(Filter::new().ignore_any_function("pool::start")));
    }

    #[test]
    fn created_by_any_ancestor() {
        for function in ["pool::start", "server::serve", "main::*"] {
            assert!(left_out(Filter::new().ignore_created_by(function)), "{function}");
        }
        assert!(!left_out(Filter::new().ignore_created_by("job::run")), "it is in that");
        assert!(!unknown(Filter::new().ignore_created_by("*")));
    }

    #[test]
    fn entries_and_files() {
        assert!(left_out(Filter::new().ignore_entry("pool::start")));
        assert!(!left_out(Filter::new().ignore_entry("queue::pop")));
        assert!(left_out(Filter::new().ignore_site("queue.rs")));
        assert!(!left_out(Filter::new().ignore_site("pool.rs")), "it was made there");
        assert!(!unknown(Filter::new().ignore_site("*")), "it runs");
    }

    #[test]
    fn by_number_and_by_function() {
        let current = |ids: [u64; 2]| Filter::new().with(Rule::Current(Arc::new(ids.into())));
        assert!(left_out(current([6, 7])));
        assert!(!left_out(current([5, 6])));
        assert!(!unknown(current([6, 7])));
        let mut cheap = Filter::new().ignore_if(|it| it.created_in() == "src/pool.rs");
        assert!(left_out(cheap.clone()));
        assert!(!unknown(cheap.clone()));
        cheap = cheap.ignore_entry("pool::start");
        assert!(unknown(cheap), "any rule will do");
    }

    #[test]
    fn it_can_be_shown() {
        let filter = Filter::new().ignore_name("a*").ignore_label("b", "c").ignore_if(|_| false);
        let shown = "Filter([name glob(\"a*\"), label \"b\" exact(\"c\"), if (..)])";
        assert_eq!(format!("{filter:?}"), shown);
    }
}
