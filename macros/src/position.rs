//! Is the function below the attribute a test?
//!
//! Above `#[test]` the answer is among the attributes that follow. Below it
//! the compiler has already taken `#[test]` away and left no mark, so nothing
//! in the tokens tells a test from any other function. The source text does:
//! when what stands before `#[verify_none]` is the end of another item and not
//! an attribute, no `#[test]` can have been there. Whenever the text cannot be
//! read or is not plainly of that kind (a macro made it), the function is taken
//! for a test: a wrong refusal would break a build, while a missed one costs
//! nothing, as the check then runs at the end of each call.

use syn::Attribute;

/// Attributes that say nothing about whether a function is a test.
const NEUTRAL: [&str; 14] = [
    "allow",
    "cfg",
    "cfg_attr",
    "cold",
    "deny",
    "deprecated",
    "doc",
    "expect",
    "forbid",
    "inline",
    "must_use",
    "track_caller",
    "verify_none",
    "warn",
];

/// Whether the attributes that follow ours make the function a test, or might.
/// An attribute nobody knows here is taken for one that does (`#[rstest]`).
pub(crate) fn attributes_make_a_test(attrs: &[Attribute]) -> bool {
    attrs.iter().any(makes_a_test)
}

/// Whether this one does, or might.
pub(crate) fn makes_a_test(attr: &Attribute) -> bool {
    let last = attr.path().segments.last();
    !last.is_some_and(|it| NEUTRAL.iter().any(|neutral| it.ident == neutral))
}

/// The attribute, if there is one, that makes tests of the function by giving values to
/// its parameters, and leaves those that stand below it on each.
pub(crate) fn gives_parameters(attrs: &[Attribute]) -> Option<&'static str> {
    attrs
        .iter()
        .any(|attr| attr.path().segments.last().is_some_and(|it| it.ident == "rstest"))
        .then_some("rstest")
}

/// Whether the source text shows that no attribute stands before ours.
pub(crate) fn nothing_stands_before() -> bool {
    let here = proc_macro::Span::call_site();
    // A span from inside another macro's output shows that macro's text.
    if !here.source_text().is_some_and(|text| text.contains("verify_none")) {
        return false;
    }
    let Some(source) = here.local_file().and_then(|path| std::fs::read_to_string(path).ok()) else {
        return false;
    };
    ends_an_item(&source, here.line(), here.column())
}

/// Whether the text before the given place (both counted from 1) ends with
/// another item, an opening brace or nothing at all, comments left aside.
fn ends_an_item(source: &str, line: usize, column: usize) -> bool {
    let lines: Vec<&str> = source.lines().take(line).collect();
    let Some((last, before)) = lines.split_last() else {
        return false;
    };
    let last: String = last.chars().take(column.saturating_sub(1)).collect();
    for text in std::iter::once(last.as_str()).chain(before.iter().rev().copied()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with("//") {
            continue;
        }
        // A trailing comment, or a string that looks like one: not plain.
        if text.contains("//") || text.ends_with("*/") {
            return false;
        }
        return text.ends_with(['}', ';', '{']);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place of `#[verify_none]` in the text.
    fn at_the_attribute(source: &str) -> bool {
        let offset = source.find("#[verify_none]").expect("attribute");
        let before = &source[..offset];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        ends_an_item(source, line, column)
    }

    #[test]
    fn items_before() {
        assert!(at_the_attribute("#[verify_none]\nfn f() {}"));
        assert!(at_the_attribute("fn g() {}\n\n/// Doc.\n#[verify_none]\nfn f() {}"));
        assert!(at_the_attribute("mod a { #[verify_none] fn f() {} }"));
        assert!(at_the_attribute("use a::b;\n#[verify_none]\nfn f() {}"));
    }

    #[test]
    fn attributes_before_and_what_is_not_plain() {
        assert!(!at_the_attribute("#[test]\n#[verify_none]\nfn f() {}"));
        assert!(!at_the_attribute("#[test] #[verify_none] fn f() {}"));
        assert!(!at_the_attribute("#[test_case(\n  1\n)]\n\n// Note.\n#[verify_none]\nfn f() {}"));
        assert!(!at_the_attribute("} // #[test]\n#[verify_none]\nfn f() {}"));
        assert!(!at_the_attribute("/* #[test] */\n#[verify_none]\nfn f() {}"));
        assert!(!at_the_attribute("$(#[$meta])*\n#[verify_none]\nfn f() {}"));
    }

    #[test]
    fn attributes_behind() {
        let test: [Attribute; 2] =
            [syn::parse_quote!(#[doc = "x"]), syn::parse_quote!(#[core::prelude::v1::test])];
        assert!(attributes_make_a_test(&test));
        assert!(attributes_make_a_test(&[syn::parse_quote!(#[rstest])]));
        assert!(attributes_make_a_test(&[syn::parse_quote!(#[should_panic])]));
        assert!(!attributes_make_a_test(&test[..1]));
        assert!(!attributes_make_a_test(&[syn::parse_quote!(#[allow(dead_code)])]));
    }
}
