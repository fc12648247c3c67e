//! Which tasks are no leaks.

use std::path::Path;

/// Tasks that a check leaves out.
///
/// Tasks that were built with [`daemon()`](gopark::Builder::daemon) are always
/// left out; a rule is for those that somebody else's code makes.
///
/// ```
/// use leakcheck::Filter;
///
/// let filter = Filter::new()
///     .ignore_name("metrics")
///     .ignore_entry("my_crate::pool::start")
///     .ignore_site("src/pool.rs");
/// assert!(leakcheck::find(&filter).is_ok());
/// ```
///
/// A task that is left out is not reported, but it still counts as one that
/// may wake others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Name(String),
    Entry(String),
    Site(String),
}

impl Filter {
    /// A filter that leaves out daemons only.
    #[must_use]
    pub const fn new() -> Filter {
        Filter { rules: Vec::new() }
    }

    /// Leaves out tasks with exactly this name.
    #[must_use]
    pub fn ignore_name(self, name: impl Into<String>) -> Filter {
        self.with(Rule::Name(name.into()))
    }

    /// Leaves out tasks that run this function, or a closure inside it; give
    /// the full path, as reports print it.
    #[must_use]
    pub fn ignore_entry(self, function: impl Into<String>) -> Filter {
        self.with(Rule::Entry(function.into()))
    }

    /// Leaves out tasks that wait in this file. `"pool.rs"` and `"src/pool.rs"`
    /// both name `crates/pool/src/pool.rs`. A task that runs waits nowhere.
    #[must_use]
    pub fn ignore_site(self, file: impl Into<String>) -> Filter {
        self.with(Rule::Site(file.into()))
    }

    fn with(mut self, rule: Rule) -> Filter {
        self.rules.push(rule);
        self
    }

    /// Whether a rule names a task with these properties.
    pub(crate) fn matches(&self, name: Option<&str>, entry: &str, site: Option<&str>) -> bool {
        self.rules.iter().any(|rule| rule.matches(name, entry, site))
    }
}

impl Rule {
    fn matches(&self, name: Option<&str>, entry: &str, site: Option<&str>) -> bool {
        match self {
            Rule::Name(wanted) => name == Some(wanted),
            Rule::Entry(function) => entry
                .strip_prefix(function.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::")),
            Rule::Site(file) => site.is_some_and(|site| Path::new(site).ends_with(file)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        let rule = Rule::Name("pool".into());
        assert!(rule.matches(Some("pool"), "", None));
        assert!(!rule.matches(Some("pool-1"), "", None));
        assert!(!rule.matches(None, "pool", None));
    }

    #[test]
    fn a_closure_belongs_to_its_function() {
        let rule = Rule::Entry("pool::start".into());
        assert!(rule.matches(None, "pool::start", None));
        assert!(rule.matches(None, "pool::start::{{closure}}", None));
        assert!(!rule.matches(None, "pool::start_all::{{closure}}", None));
        assert!(!rule.matches(None, "my::pool::start", None));
    }

    #[test]
    fn files_match_by_whole_components() {
        let rule = Rule::Site("src/pool.rs".into());
        assert!(rule.matches(None, "", Some("crates/pool/src/pool.rs")));
        assert!(rule.matches(None, "", Some("src/pool.rs")));
        assert!(!rule.matches(None, "", Some("src/my_pool.rs")));
        assert!(!rule.matches(None, "", Some("pool.rs")));
        assert!(!rule.matches(None, "", None));
    }
}
