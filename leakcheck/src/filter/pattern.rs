//! What a name has to look like.

use std::fmt;
use std::sync::Arc;

use wildmatch::WildMatch;

use super::spelling;

/// Which names a rule means: one, those with a common beginning, those of a form, or
/// those that a function picks.
///
/// Text becomes a pattern by itself: with a `*` (any characters, also none) or a `?`
/// (any one character) in it a [`glob`](Pattern::glob), else it is
/// [`exact`](Pattern::exact).
///
/// | | a task's name, a label's value | a function | a file |
/// |---|---|---|---|
/// | [`exact`](Pattern::exact) | the same | the same, or one inside it: its closures | the same, or the end of it: `"src/pool.rs"` is also `crates/a/src/pool.rs` |
/// | [`prefix`](Pattern::prefix) | begins so | begins so | it, or an end of it, begins so |
/// | [`glob`](Pattern::glob) | all of it | all of it, with or without closures | all of it, or an end of it |
/// | [`when`](Pattern::when) | asked | asked, with its closures | asked, with the whole path |
///
/// An end of a path begins behind a `/`. `*` matches `::` and `/`, too.
///
/// Symbols of a program spell some functions in one way or another, as it was built:
/// `pool::Pool::start` or `<pool::Pool>::start`. Either means both. In what is exact, and in
/// a [`prefix`](Pattern::prefix), generic arguments may be left out, and `pool::Run::run` is
/// also that function of every type which the trait is implemented for.
/// [`when`](Pattern::when) gets names in the first spelling. The module of an `impl` that
/// stands apart from its type is in older symbols only: better name the type.
///
/// ```
/// use leakcheck::{Filter, Pattern};
///
/// let filter = Filter::new()
///     .ignore_name("pool-*")
///     .ignore_name(Pattern::exact("what? *me*?"))
///     .ignore_created_by(Pattern::prefix("server::"))
///     .ignore_site(Pattern::when(|file| file.contains("generated")));
/// # let _ = filter;
/// ```
#[derive(Clone)]
pub struct Pattern(Kind);

#[derive(Clone)]
enum Kind {
    Exact(String),
    /// The same for functions, in their common spelling.
    Prefix(String, Vec<String>),
    /// As it was written, for any name, and for functions in their common spelling.
    Glob(String, WildMatch, WildMatch),
    When(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl Pattern {
    /// This very name.
    #[must_use]
    pub fn exact(name: impl Into<String>) -> Pattern {
        Pattern(Kind::Exact(name.into()))
    }

    /// Names that begin so.
    #[must_use]
    pub fn prefix(start: impl Into<String>) -> Pattern {
        let start = start.into();
        let starts = spelling::starts(&start);
        Pattern(Kind::Prefix(start, starts))
    }

    /// Names of this form: `*` stands for any characters, `?` for any one.
    #[must_use]
    pub fn glob(form: impl Into<String>) -> Pattern {
        let form = form.into();
        let matchers = [&*form, &*spelling::common(&form)].map(WildMatch::new);
        let [any, function] = matchers;
        Pattern(Kind::Glob(form, any, function))
    }

    /// Names that the function says yes to. It is called during a check, perhaps often:
    /// it should be quick, and starts no tasks.
    #[must_use]
    pub fn when(f: impl Fn(&str) -> bool + Send + Sync + 'static) -> Pattern {
        Pattern(Kind::When(Arc::new(f)))
    }

    pub(crate) fn matches_name(&self, name: &str) -> bool {
        match &self.0 {
            Kind::Exact(wanted) => name == wanted,
            Kind::Prefix(start, _) => name.starts_with(start.as_str()),
            Kind::Glob(_, form, _) => form.matches(name),
            Kind::When(f) => f(name),
        }
    }

    pub(crate) fn matches_function(&self, path: &str) -> bool {
        match &self.0 {
            Kind::Exact(wanted) => {
                spelling::means(&spelling::common(wanted), &spelling::common(path))
            }
            Kind::Glob(_, any, function) => {
                let matches = |form: &WildMatch, path| {
                    form.matches(path) || form.matches(without_closures(path))
                };
                matches(any, path) || matches(function, &spelling::common(path))
            }
            Kind::Prefix(start, starts) => {
                let common = spelling::common(path);
                path.starts_with(start.as_str())
                    || starts.iter().any(|start| spelling::begins(start, &common))
            }
            Kind::When(f) => f(path),
        }
    }

    pub(crate) fn matches_file(&self, path: &str) -> bool {
        match &self.0 {
            Kind::When(f) => f(path),
            _ => ends(path).any(|end| self.matches_name(end)),
        }
    }
}

/// The function that a closure is written in.
fn without_closures(path: &str) -> &str {
    path.find("::{").map_or(path, |at| &path[..at])
}

/// A path, and what stands behind each `/` in it.
fn ends(path: &str) -> impl Iterator<Item = &str> {
    std::iter::once(path).chain(path.match_indices('/').map(|(at, _)| &path[at + 1..]))
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Pattern {
        match text.contains(['*', '?']) {
            true => Pattern::glob(text),
            false => Pattern::exact(text),
        }
    }
}

impl From<String> for Pattern {
    fn from(text: String) -> Pattern {
        Pattern::from(text.as_str())
    }
}

impl From<&String> for Pattern {
    fn from(text: &String) -> Pattern {
        Pattern::from(text.as_str())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Exact(text) => write!(f, "exact({text:?})"),
            Kind::Prefix(text, _) => write!(f, "prefix({text:?})"),
            Kind::Glob(text, ..) => write!(f, "glob({text:?})"),
            Kind::When(_) => f.write_str("when(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_says_which_kind_it_is() {
        assert_eq!(format!("{:?}", Pattern::from("pool")), "exact(\"pool\")");
        assert_eq!(format!("{:?}", Pattern::from("pool-*".to_owned())), "glob(\"pool-*\")");
        assert_eq!(format!("{:?}", Pattern::from(&"poo?".to_owned())), "glob(\"poo?\")");
        assert_eq!(format!("{:?}", Pattern::prefix("p")), "prefix(\"p\")");
        assert_eq!(format!("{:?}", Pattern::when(|_| true)), "when(..)");
    }

    #[test]
    fn names() {
        let all = |pattern: Pattern| {
            ["pool", "pool-1", "a pool", ""].map(|name| pattern.matches_name(name))
        };
        assert_eq!(all(Pattern::exact("pool")), [true, false, false, false]);
        assert_eq!(all(Pattern::prefix("pool")), [true, true, false, false]);
        assert_eq!(all(Pattern::from("*pool*")), [true, true, true, false]);
        assert_eq!(all(Pattern::from("pool-?")), [false, true, false, false]);
        assert_eq!(all(Pattern::when(str::is_empty)), [false, false, false, true]);
        assert_eq!(all(Pattern::exact("pool*")), [false; 4]);
    }

    #[test]
    fn a_closure_belongs_to_its_function() {
        let exact = Pattern::exact("pool::start");
        for function in
            ["pool::start", "pool::start::{{closure}}", "pool::start<u8>::{{closure}}::{{closure}}"]
        {
            assert!(exact.matches_function(function), "{function}");
        }
        assert!(!exact.matches_function("pool::start_all::{{closure}}"));
        assert!(!exact.matches_function("my::pool::start"));
        let glob = Pattern::from("*::start");
        assert!(glob.matches_function("pool::start::{{closure}}::{{closure}}"));
        assert!(glob.matches_function("my::pool::start::{closure#0}"));
        assert!(!glob.matches_function("pool::start_all::{{closure}}"));
        assert!(Pattern::from("pool::*").matches_function("pool::start::{{closure}}"));
        assert!(Pattern::prefix("pool::st").matches_function("pool::start::{{closure}}"));
    }

    #[test]
    fn both_spellings_of_a_method() {
        let spellings = ["pool::Pool::start", "<pool::Pool>::start"];
        for wanted in spellings {
            for function in spellings {
                let closure = format!("{function}::{{closure#0}}");
                for path in [function, &closure] {
                    assert!(Pattern::exact(wanted).matches_function(path), "{wanted}, {path}");
                    let glob = Pattern::glob(wanted.replace("start", "s*t"));
                    assert!(glob.matches_function(path), "{glob:?}, {path}");
                }
                assert!(!Pattern::exact(wanted).matches_function(&format!("{function}_all")));
            }
            for start in ["pool::Po", "pool::Pool::st", "<pool::Po", "<pool::Pool>::st"] {
                assert!(Pattern::prefix(start).matches_function(wanted), "{start}, {wanted}");
            }
        }
        assert!(Pattern::from("<pool::*>::start").matches_function("pool::Pool::start"));
        assert!(Pattern::from("pool::*::start").matches_function("<pool::Pool>::start"));
        assert!(!Pattern::from("pool::*::start").matches_name("<pool::Pool>::start"));
        assert!(!Pattern::prefix("pool::").matches_name("<pool::Pool>::start"));
        assert!(!Pattern::exact("pool::Pool::start").matches_file("<pool::Pool>::start"));
        assert!(!Pattern::exact("pool::Pool::start").matches_name("<pool::Pool>::start"));
    }

    #[test]
    fn files_match_by_whole_components() {
        let exact = Pattern::exact("src/pool.rs");
        assert!(exact.matches_file("crates/pool/src/pool.rs"));
        assert!(exact.matches_file("src/pool.rs"));
        assert!(!exact.matches_file("src/my_pool.rs"));
        assert!(!exact.matches_file("pool.rs"));
        assert!(Pattern::from("pool/*.rs").matches_file("crates/pool/src/pool.rs"));
        assert!(!Pattern::from("pool/*.rs").matches_file("crates/my_pool/src/pool.rs"));
        assert!(Pattern::prefix("pool/").matches_file("crates/pool/src/a.rs"));
        assert!(!Pattern::prefix("pool/").matches_file("crates/my_pool/src/a.rs"));
        assert!(!Pattern::when(|path| path == "a.rs").matches_file("src/a.rs"));
    }
}
