//! Names of functions, which a program spells in three ways, and the one that is shown.
//!
//! | a function | older symbols | symbols of `v0` | shown |
//! |---|---|---|---|
//! | with parameters | `a::f` | `a::f::<u8>` | `a::f`, `a::f<u8>` |
//! | of a type | `a::Pool::start` | `<a::Pool>::start` | `a::Pool::start` |
//! | of a type with parameters | `a::Of<T>::start` | `<a::Of<u8>>::start` | `a::Of<T>::start`, `a::Of<u8>::start` |
//! | of another crate's trait, by default | `b::Run::run` | `<a::Pool as b::Run>::run` | `b::Run::run` |
//! | a closure | `a::f::{{closure}}` | `a::f::{closure#0}` | `a::f::{{closure}}` |
//! | a call of a closure | `core::…::FnOnce::call_once` | `<a::f::{closure#0} as core::…::FnOnce<()>>::call_once` | `core::…::FnOnce::call_once` |
//! | the same, of a boxed one | `…::call_once{{vtable.shim}}` | `…::call_once::{shim:vtable#0}` | `…::call_once{{vtable.shim}}` |
//!
//! That is the spelling of `type_name`, which tasks have their names from; where symbols of
//! `v0` say more, it stays. What they say less of, in which module an `impl` stands, others
//! keep. A name begins with the crate whose code it is: a function that a trait has by
//! default is the trait's, unless the type is of its crate.
#![cfg_attr(not(runtime), allow(dead_code, reason = "leakcheck reads rules with the rest"))]

use std::borrow::Cow;

/// The name of the function with this symbol, as it is shown.
#[cfg(runtime)]
pub fn of_symbol(linked: &[u8]) -> String {
    let name = format!("{:#}", backtrace::SymbolName::new(linked));
    let whole = if is_by_default(linked) { of_its_trait(&name) } else { None };
    spelled(whole.as_deref().unwrap_or(&name)).into_owned()
}

/// Whether the symbol, of `v0`, is that of a function which a trait has by default, or the
/// compiler has made for the language's own; or is of a closure in it.
fn is_by_default(linked: &[u8]) -> bool {
    let Some(mut path) = linked.strip_prefix(b"_R") else { return false };
    loop {
        path = match path {
            // Something in it, and its namespace.
            [b'N', _, path @ ..] => path,
            // With arguments.
            [b'I', path @ ..] => path,
            _ => return path.first() == Some(&b'Y'),
        };
    }
}

/// `b::Run::run` of `<a::Pool as b::Run<u8>>::run`.
fn of_its_trait(name: &str) -> Option<String> {
    let (inside, behind) = bracket(name)?;
    let (of, what) = outside(inside, " as ")?;
    if same_crate(of, what) {
        return None;
    }
    let what = what.split('<').next()?;
    Some(format!("{what}{behind}"))
}

/// Whether a type and a trait are of one crate, as far as their names tell.
pub fn same_crate(of: &str, what: &str) -> bool {
    let of = of.trim_start_matches(['<', '&']).trim_start_matches("mut ");
    of.split("::").next() == what.split("::").next()
}

/// The name, in the spelling that is shown, whichever it had.
pub fn spelled(name: &str) -> Cow<'_, str> {
    if !name.contains(['<', '{']) {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len());
    // Of each bracket that is open, where it begins, if it is no list of arguments.
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        if let Some((text, behind)) = braced(rest) {
            if text.ends_with(".shim}}") && out.ends_with("::") {
                out.truncate(out.len() - 2);
            }
            out += &text;
            rest = behind;
            continue;
        }
        let behind = &rest[c.len_utf8()..];
        match c {
            '<' => {
                let list = out.ends_with("::") && !rest.starts_with("<impl ");
                if list {
                    out.truncate(out.len() - 2);
                }
                let is_type = !list && !out.ends_with(|c| is_name(c) || matches!(c, ':' | '}'));
                open.push(is_type.then_some(out.len()));
            }
            '>' if !out.ends_with('-') => {
                let at = open.pop().flatten();
                if let Some(at) = at.filter(|at| is_path(&out[at + 1..]))
                    && (behind.is_empty() || behind.starts_with("::"))
                {
                    out.remove(at);
                    rest = behind;
                    continue;
                }
            }
            // A bracket that is an argument is none.
            '\'' if matches!(behind.chars().nth(1), Some('\'')) => {
                let end = 2 + behind.chars().next().map_or(0, char::len_utf8);
                out += &rest[..end];
                rest = &rest[end..];
                continue;
            }
            _ => {}
        }
        out.push(c);
        rest = behind;
    }
    Cow::Owned(out)
}

/// What stands at the beginning in braces, as older symbols and `type_name` have it, and
/// what is behind it.
fn braced(text: &str) -> Option<(Cow<'static, str>, &str)> {
    let (what, behind) = text.strip_prefix('{')?.split_once('}')?;
    let (kind, number) = what.split_once('#')?;
    if number.is_empty() || !number.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    match kind {
        // The second is what line tables have.
        "closure" | "closure_env" => Some((Cow::Borrowed("{{closure}}"), behind)),
        _ => Some((Cow::Owned(format!("{{{{{}.shim}}}}", kind.strip_prefix("shim:")?)), behind)),
    }
}

/// Names a type by its path, and not `dyn a::Run`, `[u8]`, `u8` or `a::Pool as a::Run`; or
/// has the form of such names.
fn is_path(of: &str) -> bool {
    let mut depth = 0_usize;
    let mut before = ' ';
    let plain = of.chars().all(|c| {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth = depth.saturating_sub(1),
            _ if depth == 0 && !is_name(c) && !matches!(c, ':' | '{' | '}' | '*' | '?') => {
                return false;
            }
            _ => {}
        }
        before = c;
        true
    });
    plain && of.split('<').next().is_some_and(|first| first.contains("::"))
}

/// The function that the closure of this name is written in, which may be a closure
/// itself; `None` if it is no closure's.
pub(crate) fn around_closure(path: &str) -> Option<&str> {
    path.strip_suffix("::{{closure}}")
}

/// The same, out of all closures around it; of another function its own name.
pub fn without_closures(mut path: &str) -> &str {
    while let Some(around) = around_closure(path) {
        path = around;
    }
    path
}

/// What is inside of the bracket `<…>` at the beginning, and what is behind it.
pub fn bracket(text: &str) -> Option<(&str, &str)> {
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
pub fn outside<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
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

/// Part of a name.
pub fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn around_closures() {
        assert_eq!(around_closure("app::start::{{closure}}"), Some("app::start"));
        assert_eq!(around_closure("a::{{closure}}::{{closure}}"), Some("a::{{closure}}"));
        for other in ["app::start", "{{closure}}", "a::f{{vtable.shim}}", ""] {
            assert_eq!(around_closure(other), None, "{other}");
        }
        assert_eq!(without_closures("a::f::{{closure}}::{{closure}}"), "a::f");
        // A function that stands in a closure is a function.
        assert_eq!(without_closures("a::f::{{closure}}::g"), "a::f::{{closure}}::g");
    }

    #[test]
    fn what_is_no_name_of_ours_stays() {
        for name in [
            "",
            "__libc_start_main",
            "operator<<",
            "operator->",
            "std::vector<int>::f",
            "a<b>>",
            "<",
            "<a::b",
            "{",
            "{closure#x}",
            "{closure#}",
            "{{closure}}",
            "a::<impl b::Pool>::f",
            "a::b::<impl a::Run for a::Pool>::run",
            "<a::Pool as a::Run>::run",
            "<dyn a::Run>::go",
            "<[u8]>::len",
            "<*const _>::add",
            "<fn() -> u8 as a::Run>::run",
            "a::f<'>'>",
            "0x4012",
        ] {
            assert_eq!(spelled(name), name);
        }
    }

    /// As line tables have those of functions that were inlined.
    #[test]
    fn names_without_a_path() {
        assert_eq!(spelled("{closure#1}"), "{{closure}}");
        assert_eq!(
            spelled("call_once<app::f::{closure_env#0}, ()>"),
            "call_once<app::f::{{closure}}, ()>"
        );
    }
}

#[cfg(all(test, runtime))]
mod symbols {
    use super::*;

    /// Of one program, as rustc has made them in both ways, and what is shown.
    const SYMBOLS: &[(&str, &str)] = &[
        ("_ZN3app3any17h638aee7de069e1ddE", "app::any"),
        ("_RINvCscAEuU5ehQ2G_3app3anyThAlj2_EEB2_", "app::any<(u8, [i32; 2])>"),
        ("_RINvCscAEuU5ehQ2G_3app6letterKc3e_EB2_", "app::letter<'>'>"),
        ("_ZN3app3any28_$u7b$$u7b$closure$u7d$$u7d$17h3aac3f4671cdd66fE", "app::any::{{closure}}"),
        (
            "_RNCINvCscAEuU5ehQ2G_3app3anyNCNvB4_4mains1_0E0B4_",
            "app::any<app::main::{{closure}}>::{{closure}}",
        ),
        ("_ZN3app4Pool5start17hc4e13fb1c784a0efE", "app::Pool::start"),
        ("_RNvMCscAEuU5ehQ2G_3appNtB2_4Pool5start", "app::Pool::start"),
        (
            "_ZN3app4Pool5start28_$u7b$$u7b$closure$u7d$$u7d$17hc6264ebb9e59ed3cE",
            "app::Pool::start::{{closure}}",
        ),
        ("_RNCNvMCscAEuU5ehQ2G_3appNtB4_4Pool5start0B4_", "app::Pool::start::{{closure}}"),
        (
            "_ZN3app4Pool4with28_$u7b$$u7b$closure$u7d$$u7d$28_$u7b$$u7b$closure$u7d$$u7d$17hda7d416e41962c81E",
            "app::Pool::with::{{closure}}::{{closure}}",
        ),
        (
            "_RNCNCINvMCscAEuU5ehQ2G_3appNtB7_4Pool4withhE00B7_",
            "app::Pool::with<u8>::{{closure}}::{{closure}}",
        ),
        ("_ZN3app11Of$LT$T$GT$5start17h5095de3a1c2362ffE", "app::Of<T>::start"),
        ("_RNvMs_CscAEuU5ehQ2G_3appINtB4_2OfReE5startB4_", "app::Of<&str>::start"),
        (
            "_ZN3app10inner_type28_$u7b$$u7b$closure$u7d$$u7d$5Local1f17h1c513a47a5404acbE",
            "app::inner_type::{{closure}}::Local::f",
        ),
        (
            "_RNvMNCNvCscAEuU5ehQ2G_3app10inner_type0NtB2_5Local1f",
            "app::inner_type::{{closure}}::Local::f",
        ),
        (
            "_ZN3app3far27_$LT$impl$u20$app..Pool$GT$2at17h86dd5c5e36e5143bE",
            "app::far::<impl app::Pool>::at",
        ),
        ("_RNvMNtCscAEuU5ehQ2G_3app3farNtB4_4Pool2at", "app::Pool::at"),
        ("_ZN25_$LT$dyn$u20$app..Run$GT$2go17h37dc3a0d70544814E", "<dyn app::Run>::go"),
        ("_RNvMs3_CscAEuU5ehQ2G_3appDNtB5_3RunEL_2go", "<dyn app::Run>::go"),
        (
            "_ZN38_$LT$app..Pool$u20$as$u20$app..Run$GT$3run28_$u7b$$u7b$closure$u7d$$u7d$17h1ca451d963769976E",
            "<app::Pool as app::Run>::run::{{closure}}",
        ),
        (
            "_RNCNvXs0_CscAEuU5ehQ2G_3appNtB7_4PoolNtB7_3Run3run0B7_",
            "<app::Pool as app::Run>::run::{{closure}}",
        ),
        ("_RNvXs2_CscAEuU5ehQ2G_3appShNtB5_3Run3run", "<[u8] as app::Run>::run"),
        // The trait's own.
        ("_ZN3app3Run5twice17h76bfcb7670a4b6a1E", "app::Run::twice"),
        ("_RNvYNtCscAEuU5ehQ2G_3app4PoolNtB4_3Run5twiceB4_", "<app::Pool as app::Run>::twice"),
        (
            "_RNCNvYNtNtCsjrHSEGnQ3l9_3std3env4ArgsNtNtNtNtCsgEmfK2I1SDS_4core4iter6traits8iterator8Iterator5count0CscAEuU5ehQ2G_3app",
            "core::iter::traits::iterator::Iterator::count::{{closure}}",
        ),
        (
            "_RNvXs1_NtNtCsgEmfK2I1SDS_4core3ops5derefQNCNvCscAEuU5ehQ2G_3app5waits0NtB5_8DerefMut9deref_mutBH_",
            "<&mut app::waits::{{closure}} as core::ops::deref::DerefMut>::deref_mut",
        ),
        (
            "_ZN4core3ops8function6FnOnce9call_once17h0c19cfb0db31cb60E",
            "core::ops::function::FnOnce::call_once",
        ),
        (
            "_RNvYNCNvCscAEuU5ehQ2G_3app4mains2_0INtNtNtCsgEmfK2I1SDS_4core3ops8function6FnOnceTRhEE9call_onceB6_",
            "core::ops::function::FnOnce::call_once",
        ),
        (
            "_RNvYNvCscAEuU5ehQ2G_3app4itemINtNtNtCsgEmfK2I1SDS_4core3ops8function6FnOnceuE9call_onceB4_",
            "core::ops::function::FnOnce::call_once",
        ),
        (
            "_RNvYFEuINtNtNtCsgEmfK2I1SDS_4core3ops8function6FnOnceuE9call_onceCscAEuU5ehQ2G_3app",
            "core::ops::function::FnOnce::call_once",
        ),
        (
            "_ZN4core3ops8function6FnOnce40call_once$u7b$$u7b$vtable.shim$u7d$$u7d$17h48c309cf0eec94abE",
            "core::ops::function::FnOnce::call_once{{vtable.shim}}",
        ),
        (
            "_RNSNvYNCNvCscAEuU5ehQ2G_3app4main0INtNtNtCsgEmfK2I1SDS_4core3ops8function6FnOnceuE9call_once6vtableB8_",
            "core::ops::function::FnOnce::call_once{{vtable.shim}}",
        ),
        (
            "_ZN4core3ptr60drop_in_place$LT$app..waits..$u7b$$u7b$closure$u7d$$u7d$$GT$17h109a9564cfe60df6E",
            "core::ptr::drop_in_place<app::waits::{{closure}}>",
        ),
        (
            "_RINvNtCsgEmfK2I1SDS_4core3ptr13drop_in_placeNCNvCscAEuU5ehQ2G_3app5waits0EBK_",
            "core::ptr::drop_in_place<app::waits::{{closure}}>",
        ),
        (
            "_RNCINvMs0_NtNtCsjrHSEGnQ3l9_3std4sync4onceNtB8_4Once9call_onceNCNvNtBc_2rt7cleanup0E0Bc_",
            "std::sync::once::Once::call_once<std::rt::cleanup::{{closure}}>::{{closure}}",
        ),
        (
            "_RNvXNvXse_NtNtCslNYArtu3iFV_5alloc3vec9into_iterINtB8_8IntoIterppENtNtNtCsgEmfK2I1SDS_4core3ops4drop4Drop4dropINtB2_9DropGuardNtNtNtCsjrHSEGnQ3l9_3std3ffi6os_str8OsStringNtNtBc_5alloc6GlobalEB12_4dropCscAEuU5ehQ2G_3app",
            "<<alloc::vec::into_iter::IntoIter<_, _> as core::ops::drop::Drop>::drop::DropGuard<std::ffi::os_str::OsString, alloc::alloc::Global> as core::ops::drop::Drop>::drop",
        ),
        ("__rust_try", "__rust_try"),
        ("main", "main"),
    ];

    #[test]
    fn symbols_of_both_kinds_are_spelled_alike() {
        for (linked, shown) in SYMBOLS {
            let name = of_symbol(linked.as_bytes());
            assert_eq!(name, *shown, "{linked}");
            assert_eq!(spelled(&name), name, "again");
        }
    }
}
