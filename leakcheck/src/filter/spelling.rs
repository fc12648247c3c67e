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

/// The spelling of `type_name` for all of them, with the type first if it is another
/// module's.
pub(super) fn common(path: &str) -> Cow<'_, str> {
    if !path.contains('<') && !path.contains("{closure#") {
        return Cow::Borrowed(path);
    }
    let first = without_module(path).unwrap_or(Cow::Borrowed(path));
    Cow::Owned(closures_alike(&first).replace("::<", "<"))
}

/// Whether `path` is the function that is `wanted`, or inside it; both in their
/// [`common`] spelling. Generic arguments that one of them leaves out fit any, and so does
/// a parameter in their place.
pub(super) fn means(wanted: &str, path: &str) -> bool {
    let inside = |rest: &str| {
        let rest = bracket(rest).map_or(rest, |(_, behind)| behind);
        rest.is_empty() || rest.starts_with("::")
    };
    if behind(wanted, path).is_some_and(inside) {
        return true;
    }
    // The trait's function, whatever it is of.
    !wanted.starts_with('<')
        && of_trait(path).is_some_and(|path| behind(wanted, &path).is_some_and(inside))
}

/// `<a::Pool>::start`, and `a::b::<impl a::Pool>::start`, as `a::Pool::start`; the same of
/// a trait as `<a::Pool as a::Run>::run`.
fn without_module(path: &str) -> Option<Cow<'_, str>> {
    let (at, implemented) = match path.starts_with('<') {
        true => (0, false),
        false => (path.find("::<impl ")? + "::".len(), true),
    };
    let (inner, rest) = bracket(&path[at..])?;
    if !implemented {
        return is_path(inner).then(|| Cow::Owned(format!("{inner}{rest}")));
    }
    let inner = inner.strip_prefix("impl ")?;
    Some(Cow::Owned(match outside(inner, " for ") {
        Some((what, of)) => format!("<{of} as {what}>{rest}"),
        None if is_path(inner) => format!("{inner}{rest}"),
        None => format!("<{inner}>{rest}"),
    }))
}

/// `a::Run::run` of `<a::Pool as a::Run>::run`.
fn of_trait(path: &str) -> Option<String> {
    let (inner, rest) = bracket(path)?;
    let (_, what) = outside(inner, " as ")?;
    Some(format!("{what}{rest}"))
}

/// Names a type, and not `dyn a::Run`, `[u8]` or `u8`; or has the form of such names.
fn is_path(of: &str) -> bool {
    let name = of.split('<').next().unwrap_or_default();
    name.contains("::") && name.chars().all(|c| is_name(c) || matches!(c, ':' | '*' | '?'))
}

/// Replaces the numbers of closures.
fn closures_alike(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, behind)) = rest.split_once("{closure#") {
        let Some((number, after)) = behind.split_once('}') else { break };
        if number.is_empty() || !number.bytes().all(|digit| digit.is_ascii_digit()) {
            break;
        }
        text += before;
        text += "{{closure}}";
        rest = after;
    }
    text + rest
}

/// What is left of the path behind what is wanted of it.
fn behind<'a>(wanted: &str, path: &'a str) -> Option<&'a str> {
    let (mut w, mut p) = (wanted, path);
    while let Some(next) = w.chars().next() {
        let seen = &wanted[..wanted.len() - w.len()];
        let is_argument = seen.ends_with(['<', '(', '[', '&']) || seen.ends_with(", ");
        if is_argument && (is_parameter(p) || is_short_parameter(w)) {
            (w, p) = (behind_type(w)?, behind_type(p)?);
        } else if p.starts_with(next) {
            (w, p) = (&w[next.len_utf8()..], &p[next.len_utf8()..]);
        } else if next == '<' && seen.ends_with(is_name) {
            w = bracket(w)?.1;
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

/// What is inside of the bracket `<…>` at the beginning, and what is behind it.
fn bracket(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if text[..at].ends_with('-') => {}
            '>' if depth == 1 => return Some((&text[1..at], &text[at + 1..])),
            '>' => depth = depth.checked_sub(1)?,
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Splits at the first such word that is in no bracket.
fn outside<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' if text[..at].ends_with('-') => {}
            '>' | ')' | ']' => depth = depth.checked_sub(1)?,
            _ if depth == 0 && text[at..].starts_with(word) => {
                return Some((&text[..at], &text[at + word.len()..]));
            }
            _ => {}
        }
    }
    None
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
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

    /// Older symbols do not say which type it was.
    #[test]
    fn the_function_of_a_trait_by_default() {
        for path in ["a::Run::run", "<a::Pool as a::Run>::run", "<[u8] as a::Run>::run"] {
            assert!(fits("a::Run::run", path), "{path}");
            assert!(fits("a::Run::run", &format!("{path}::{{closure#0}}")), "{path}");
        }
        assert!(fits("a::Put::put", "<a::Pool as a::Put<u8>>::put"));
        assert!(!fits("<a::Pool as a::Run>::run", "a::Run::run"));
        assert!(!fits("a::Run::run", "<a::Pool as a::Runs>::run"));
    }

    #[test]
    fn what_is_no_path_stays_as_it_is() {
        for text in ["<", "<>", "<a::b", "a<b>>", "{closure#", "{closure#x}", "::<impl ", ">a"] {
            assert!(fits(text, text), "{text}");
            let _ = (fits(text, "<a::b>::c"), fits("<a::b>::c", text));
        }
        assert_eq!(common("{closure#x}::{closure#1}"), "{closure#x}::{closure#1}");
        assert_eq!(common("a::f::{shim:vtable#0}"), "a::f::{shim:vtable#0}");
    }
}
