//! Names of functions, which a program spells in three ways.
//!
//! | a function | older symbols | symbols of `v0` | `type_name`, of a closure in it |
//! |---|---|---|---|
//! | of a module | `a::f` | `a::f` | `a::f` |
//! | with parameters | `a::f` | `a::f::<u8>` | `a::f<u8>` |
//! | of a type | `a::Pool::start` | `<a::Pool>::start` | `a::Pool::start` |
//! | of a type with parameters | `a::Of<T>::start` | `<a::Of<u8>>::start` | `a::Of<u8>::start` |
//! | of a type of another module | `a::b::<impl a::Pool>::start` | `<a::Pool>::start` | as older |
//! | of a trait | `<a::Pool as a::Run>::run` | `<a::Pool as a::Run>::run` | the same |
//! | of one in another module | `a::b::<impl a::Run for a::Pool>::run` | `<a::Pool as a::Run>::run` | as older |
//! | of a trait, by default | `a::Run::run` | `<a::Pool as a::Run>::run` | as `v0` |
//! | a closure | `…::{{closure}}` | `…::{closure#0}` | `…::{{closure}}` |
//!
//! One program may have all of them: std has symbols of its own. A rule is to mean the same
//! function whichever of them it was copied from, and whichever the program has.

use std::borrow::Cow;

use gopark::__names::{bracket, is_name, outside, same_crate, spelled};

/// The spelling of `type_name` for all of them, with the type first if it is another
/// module's.
pub(super) fn common(path: &str) -> Cow<'_, str> {
    match without_module(path) {
        Some(first) => Cow::Owned(spelled(&first).into_owned()),
        None => spelled(path),
    }
}

/// What names in their [`common`] spelling begin with, if they begin so in any.
pub(super) fn starts(start: &str) -> Vec<String> {
    let start = of_closures(start);
    let mut starts = vec![common(&start).into_owned()];
    if let Some(of) = start.strip_prefix('<') {
        match bracket(&start) {
            // There is a function to follow.
            Some((_, "")) => starts = vec![common(&format!("{start}::")).into_owned()],
            Some(_) => {}
            // If no trait follows.
            None if of.contains("::") && outside(of, " as ").is_none() => {
                starts.push(spelled(of).into_owned());
            }
            None => {}
        }
    }
    starts
}

/// With the beginning of that of a closure's name which is alike in all.
fn of_closures(start: &str) -> Cow<'_, str> {
    let Some((before, last)) = start.rsplit_once("::{") else { return Cow::Borrowed(start) };
    if "closure#".starts_with(last) && !last.is_empty() {
        return Cow::Owned(format!("{before}::{{"));
    }
    let number = last.strip_prefix("closure#").unwrap_or("-");
    if number.bytes().all(|digit| digit.is_ascii_digit()) {
        return Cow::Owned(format!("{before}::{{{{closure}}}}"));
    }
    Cow::Borrowed(start)
}

/// Whether `path`, in its [`common`] spelling, begins with this one of the [`starts`].
/// Generic arguments are as in [`means`].
pub(super) fn begins(start: &str, path: &str) -> bool {
    let goes_on = |path: &str| path.starts_with(start) || behind(start, path, true).is_some();
    if goes_on(path) {
        return true;
    }
    // As in `means`; but who leaves out a crate does not leave out what others do by its
    // traits.
    let Some((of, what, rest)) = of_trait(path).filter(|_| !start.starts_with('<')) else {
        return false;
    };
    goes_on(&format!("{what}{rest}")) && (same_crate(of, what) || !goes_on(what))
}

/// Whether `path` is the function that is `wanted`, or inside it; both in their
/// [`common`] spelling. Generic arguments that one of them leaves out fit any, and so does
/// a parameter in their place.
pub(super) fn means(wanted: &str, path: &str) -> bool {
    let inside = |rest: &str| {
        let rest = bracket(rest).map_or(rest, |(_, behind)| behind);
        rest.is_empty() || rest.starts_with("::") || rest.starts_with("{{")
    };
    let is_meant = |path: &str| behind(wanted, path, false).is_some_and(inside);
    if is_meant(path) {
        return true;
    }
    // The trait's function, whatever it is of.
    !wanted.starts_with('<')
        && of_trait(path).is_some_and(|(_, what, rest)| is_meant(&format!("{what}{rest}")))
}

/// `a::b::<impl a::Pool>::start` as `<a::Pool>::start`; the same of a trait as
/// `<a::Pool as a::Run>::run`.
fn without_module(path: &str) -> Option<String> {
    if path.starts_with('<') {
        return None;
    }
    let (inner, rest) = bracket(&path[path.find("::<impl ")? + "::".len()..])?;
    let inner = inner.strip_prefix("impl ")?;
    Some(match outside(inner, " for ") {
        Some((what, of)) => format!("<{of} as {what}>{rest}"),
        None => format!("<{inner}>{rest}"),
    })
}

/// `a::Pool`, `a::Run` and `::run` of `<a::Pool as a::Run>::run`.
fn of_trait(path: &str) -> Option<(&str, &str, &str)> {
    let (inner, rest) = bracket(path)?;
    let (of, what) = outside(inner, " as ")?;
    Some((of, what, rest))
}

/// What is left of the path behind what is wanted of it, of which the end may be cut off.
fn behind<'a>(wanted: &str, path: &'a str, cut: bool) -> Option<&'a str> {
    let (mut w, mut p) = (wanted, path);
    while let Some(next) = w.chars().next() {
        let seen = &wanted[..wanted.len() - w.len()];
        let is_argument = seen.ends_with(['<', '(', '[', '&']) || seen.ends_with(", ");
        if is_argument && (is_parameter(p) || is_short_parameter(w)) {
            let Some(more) = behind_type(w) else { return cut.then_some(p) };
            (w, p) = (more, behind_type(p)?);
        } else if p.starts_with(next) {
            (w, p) = (&w[next.len_utf8()..], &p[next.len_utf8()..]);
        } else if next == '<' && seen.ends_with(is_name) && !p.starts_with(is_name) {
            let Some((_, more)) = bracket(w) else { return cut.then_some(p) };
            w = more;
        } else if p.starts_with('<') && seen.ends_with(is_name) {
            p = bracket(p)?.1;
        } else {
            return None;
        }
    }
    Some(p)
}

/// Whether a parameter stands at the beginning: types that are not the language's own have
/// paths.
fn is_parameter(text: &str) -> bool {
    let rest = text.trim_start_matches(is_name);
    let ends = rest.starts_with(['>', ',', ')', ']', ';']) || rest.starts_with(" as ");
    ends && text.starts_with(char::is_uppercase)
}

/// The same in what somebody has written, who may have left a path out.
fn is_short_parameter(text: &str) -> bool {
    let short = !text.trim_start_matches(char::is_uppercase).starts_with(char::is_lowercase);
    short && is_parameter(text)
}

/// What is behind the type, or the constant, at the beginning.
fn behind_type(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' if text[..at].ends_with('-') => {}
            '>' | ')' | ']' | ',' | ';' if depth == 0 => return Some(&text[at..]),
            ' ' if depth == 0 && text[at..].starts_with(" as ") => return Some(&text[at..]),
            '>' | ')' | ']' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(wanted: &str, path: &str) -> bool {
        means(&common(wanted), &common(path))
    }

    /// As rustc and the demangler print them: older symbols, those of `v0`, `type_name`.
    const SPELLINGS: [[&str; 3]; 15] = [
        ["a::f", "a::f", "a::f::{{closure}}"],
        ["a::f", "a::f::<u8>", "a::f<u8>::{{closure}}"],
        ["a::f", "a::f::<3>", "a::f<3>::{{closure}}"],
        ["a::Pool::start", "<a::Pool>::start", "a::Pool::start::{{closure}}"],
        ["a::Pool::put", "<a::Pool>::put::<u8>", "a::Pool::put<u8>::{{closure}}"],
        ["a::Of<T>::start", "<a::Of<u8>>::start", "a::Of<u8>::start::{{closure}}"],
        [
            "a::Of<T>::start",
            "<a::Of<(u8, [a::Pool; 2])>>::start",
            "a::Of<(u8, [a::Pool; 2])>::start::{{closure}}",
        ],
        ["a::b::<impl a::Pool>::at", "<a::Pool>::at", "a::b::<impl a::Pool>::at::{{closure}}"],
        [
            "a::b::<impl a::Of<alloc::vec::Vec<T>>>::at",
            "<a::Of<alloc::vec::Vec<u8>>>::at",
            "a::b::<impl a::Of<alloc::vec::Vec<u8>>>::at::{{closure}}",
        ],
        [
            "<a::Pool as a::Run>::run",
            "<a::Pool as a::Run>::run",
            "<a::Pool as a::Run>::run::{{closure}}",
        ],
        [
            "<a::Of<T> as a::Put<u8>>::put",
            "<a::Of<&str> as a::Put<u8>>::put",
            "<a::Of<&str> as a::Put<u8>>::put::{{closure}}",
        ],
        [
            "a::b::<impl a::Put<u8> for a::Pool>::put",
            "<a::Pool as a::Put<u8>>::put",
            "a::b::<impl a::Put<u8> for a::Pool>::put::{{closure}}",
        ],
        ["<T as a::Run>::run", "<[u8] as a::Run>::run", "<[u8] as a::Run>::run::{{closure}}"],
        [
            "<(F,) as a::Run>::run",
            "<(fn() -> u8,) as a::Run>::run",
            "<(fn() -> u8,) as a::Run>::run::{{closure}}",
        ],
        ["<dyn a::Run>::go", "<dyn a::Run>::go", "<dyn a::Run>::go::{{closure}}"],
    ];

    #[test]
    fn every_spelling_means_every_other() {
        for [older, v0, type_name] in SPELLINGS {
            let function = type_name.strip_suffix("::{{closure}}").expect("a closure");
            for wanted in [older, v0, function] {
                for path in [older, v0, function] {
                    assert!(fits(wanted, path), "{wanted} means {path}");
                    for closure in ["{{closure}}", "{closure#1}", "{closure#0}::{closure#12}"] {
                        assert!(fits(wanted, &format!("{path}::{closure}")), "{wanted}, {path}");
                    }
                    assert!(!fits(wanted, &format!("{path}_all")), "{wanted}, {path}");
                    assert!(!fits(&format!("{wanted}_all"), path), "{wanted}, {path}");
                    assert!(!fits(&format!("{wanted}::inner"), path), "{wanted}, {path}");
                }
            }
        }
    }

    #[test]
    fn no_other_function_is_meant() {
        for (wanted, other) in [
            ("a::Pool::start", "<a::Pools>::start"),
            ("a::Pool::start", "<a::Pool as a::Run>::start"),
            ("<a::Pool>::start", "<a::Pool as a::Run>::start"),
            ("<a::Pool as a::Run>::run", "a::Pool::run"),
            ("<a::Pool as a::Run>::run", "<a::Pools as a::Run>::run"),
            ("<a::Pool as a::Run>::run", "<a::Pool as a::Runs>::run"),
            ("<a::Pool as a::Put<u8>>::put", "<a::Pool as a::Put<u16>>::put"),
            ("a::Of<u8>::start", "<a::Of<u16>>::start"),
            ("a::f<u8>", "a::f::<u16>"),
            ("a::f<u8, u8>", "a::f<u8>"),
            // A type without its path is none that could be meant.
            ("<Pool as a::Run>::run", "<a::Pool as a::Run>::run"),
            ("b::Pool::start", "a::b::<impl b::Pools>::start"),
            ("a::f::{{closure}}", "a::f"),
            ("a::f::{{closure}}", "a::f::g"),
        ] {
            assert!(!fits(wanted, other), "{wanted} means {other}");
        }
    }

    fn begins_so(start: &str, path: &str) -> bool {
        starts(start).iter().any(|start| begins(start, &common(path)))
    }

    /// But for the module of an `impl`, which one of them has, and text that is too short to
    /// tell what it is.
    #[test]
    fn a_beginning_in_any_spelling_is_one_in_every_other() {
        for spellings in SPELLINGS {
            let [older, v0, function] = spellings.map(|it| it.trim_end_matches("::{{closure}}"));
            for path in [older, v0, function] {
                let closures = ["", "::{{closure}}", "::{closure#1}", "::{closure#0}::{closure#1}"];
                for path in closures.map(|closure| format!("{path}{closure}")) {
                    for whole in [older, v0, function] {
                        let (last, _) = whole.rsplit_once("::").expect("a path");
                        let name = whole.len().min(last.len() + "::x".len());
                        for start in [last, &whole[..name], whole] {
                            assert!(begins_so(start, &path), "{path} begins with {start}");
                        }
                        assert!(!begins_so(&format!("{whole}_all"), &path), "{whole}, {path}");
                        assert!(!begins_so(&format!("{whole}::inner"), &path), "{whole}, {path}");
                    }
                }
            }
        }
    }

    #[test]
    fn names_that_are_cut_off() {
        for (start, path) in [
            ("<a::Po", "a::Pool::start"),
            ("a::Po", "<a::Pool>::start"),
            ("<a::Of<u8", "a::Of<T>::start"),
            ("a::Of<u8", "<a::Of<u8>>::start"),
            ("a::f::<u", "a::f<u8>"),
            ("a::f::<u", "a::f::{{closure}}"),
            ("<a::Pool as a::R", "<a::Pool as a::Run>::run"),
            ("<a::Pool as a::R", "a::b::<impl a::Run for a::Pool>::run"),
            ("a::f::{clo", "a::f::{{closure}}"),
            ("a::f::{closure#1", "a::f::{{closure}}"),
            ("a::f::{closure#1}::{", "a::f::{{closure}}::{{closure}}"),
            ("a::f::{{clo", "a::f::<u8>::{closure#0}"),
            ("a::Run::", "<b::Pool as a::Run>::run"),
            ("a::Put::p", "<b::Pool as a::Put<u8>>::put"),
            ("a::", "<a::Pool as a::Run>::run"),
            ("a::Ru", "<a::Pool as a::Run>::run"),
            ("", "<a::Pool>::start"),
        ] {
            assert!(begins_so(start, path), "{path} begins with {start}");
        }
        for (start, path) in [
            ("<a::Pool>", "a::Pools::start"),
            ("a::Pool::", "<a::Pools>::start"),
            ("a::Pool::", "<a::Pool as b::Run>::run"),
            ("a::Of<u8>", "<a::Of<u16>>::start"),
            ("a::Of<u8", "a::Often::start"),
            ("a::f<", "a::fold"),
            // What others do by the traits of a crate.
            ("a::", "<b::Pool as a::Run>::run"),
            ("a::Ru", "<b::Pool as a::Run>::run"),
            ("a::f::{clo", "a::f"),
            ("<", "a::f"),
            ("Pool", "a::Pool::start"),
        ] {
            assert!(!begins_so(start, path), "{path} begins with {start}");
        }
    }

    /// Older symbols do not say which type it was.
    #[test]
    fn the_function_of_a_trait_by_default() {
        for path in ["a::Run::run", "<a::Pool as a::Run>::run", "<[u8] as a::Run>::run"] {
            assert!(fits("a::Run::run", path), "{path}");
            assert!(fits("a::Run::run", &format!("{path}::{{closure#0}}")), "{path}");
        }
        assert!(fits("a::Put::put", "<a::Pool as a::Put<u8>>::put"));
        assert!(fits("a::Put::put", "<a::Of<u8> as a::Put<u8>>::put"));
        assert!(!fits("<a::Pool as a::Run>::run", "a::Run::run"));
        assert!(!fits("a::Run::run", "<a::Pool as a::Runs>::run"));
    }

    #[test]
    fn what_is_no_path_stays_as_it_is() {
        for text in ["<", "<>", "<a::b", "a<b>>", "{closure#", "{closure#x}", "::<impl ", ">a"] {
            assert!(fits(text, text), "{text}");
            let _ = (fits(text, "<a::b>::c"), fits("<a::b>::c", text));
        }
        assert_eq!(common("{closure#x}::{closure#1}"), "{closure#x}::{{closure}}");
        assert!(fits("a::f", "a::f::{shim:vtable#0}") && fits("a::f", "a::f{{vtable.shim}}"));
    }
}
