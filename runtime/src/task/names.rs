//! Names of functions, as `type_name` and a program's symbols spell them.

/// The function that the closure of this name is written in, which may be a closure
/// itself; `None` if it is no closure's.
///
/// `type_name` and the older symbols end in `::{{closure}}`, those of
/// `-C symbol-mangling-version=v0` in `::{closure#0}`.
pub(crate) fn around_closure(path: &str) -> Option<&str> {
    if let Some(around) = path.strip_suffix("::{{closure}}") {
        return Some(around);
    }
    let (around, number) = path.strip_suffix('}')?.rsplit_once("::{closure#")?;
    number.bytes().all(|digit| digit.is_ascii_digit()).then_some(around)
}

/// The same, out of all closures around it; of another function its own name.
pub(crate) fn without_closures(mut path: &str) -> &str {
    while let Some(around) = around_closure(path) {
        path = around;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_closure() {
        assert_eq!(around_closure("app::start::{{closure}}"), Some("app::start"));
        assert_eq!(around_closure("app::start::{closure#0}"), Some("app::start"));
        assert_eq!(around_closure("<app::Pool>::start::{closure#12}"), Some("<app::Pool>::start"));
        assert_eq!(around_closure("a::{{closure}}::{{closure}}"), Some("a::{{closure}}"));
        for other in [
            "app::start",
            "{closure#0}",
            "a::{shim:vtable#0}",
            "a::{closure#0",
            "a::{closure#x}",
            "",
        ] {
            assert_eq!(around_closure(other), None, "{other}");
        }
    }

    #[test]
    fn closures_in_closures() {
        assert_eq!(without_closures("a::f::{{closure}}::{{closure}}"), "a::f");
        assert_eq!(without_closures("a::f::<u8>::{closure#1}::{closure#0}"), "a::f::<u8>");
        // A function that stands in a closure is a function.
        assert_eq!(without_closures("a::f::{closure#0}::g"), "a::f::{closure#0}::g");
    }
}
