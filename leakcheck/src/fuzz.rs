//! What reads text that others wrote, and what must be true whatever it is.
//!
//! `fuzz/` has libFuzzer call these functions; the tests below have proptest do so in every
//! test run. Each of them panics when a promise is broken.

use crate::Pattern;

/// A pattern, and behind a line break a name that it may mean.
pub fn pattern(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (form, name) = text.split_once('\n').unwrap_or((&text, ""));
    let pattern = Pattern::from(form);
    let glob = Pattern::glob(form);
    // However long it takes, it takes no longer than it should.
    if form.len() * name.len() <= 1 << 16 {
        let form: Vec<char> = form.chars().collect();
        let name_: Vec<char> = name.chars().collect();
        assert_eq!(glob.matches_name(name), means(&form, &name_), "{text:?}");
    }
    if !form.contains(['*', '?']) {
        assert_eq!(pattern.matches_name(name), form == name);
    }
    assert!(Pattern::exact(name).matches_name(name));
    assert!(Pattern::exact(name).matches_function(name));
    assert!(Pattern::exact(name).matches_function(&format!("{name}::{{{{closure}}}}")));
    assert!(Pattern::prefix(form).matches_name(&format!("{form}{name}")));
    assert!(Pattern::exact(name).matches_file(&format!("{form}/{name}")));
    // Whatever it is, it ends.
    let _ = Pattern::exact(form).matches_function(name);
    assert!(Pattern::glob("*").matches_name(name));
    // What means a name means it as a function and as a file, too.
    for pattern in [pattern, glob, Pattern::prefix(form)] {
        if pattern.matches_name(name) {
            assert!(pattern.matches_function(name), "{text:?}");
            assert!(pattern.matches_file(name), "{text:?}");
            assert!(pattern.matches_file(&format!("a/{name}")), "{text:?}");
        }
    }
}

/// What a form means, by the book.
fn means(form: &[char], name: &[char]) -> bool {
    let mut row = vec![false; name.len() + 1];
    row[0] = true;
    for &wanted in form {
        let mut next = vec![false; name.len() + 1];
        next[0] = row[0] && wanted == '*';
        for n in 0..name.len() {
            next[n + 1] = match wanted {
                '*' => row[n + 1] || next[n],
                '?' => row[n],
                wanted => row[n] && name[n] == wanted,
            };
        }
        row = next;
    }
    row[name.len()]
}

/// The value of a variable of the environment.
pub fn settings(bytes: &[u8]) {
    crate::settings::check(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// What names of functions consist of.
    const WORDS: [&str; 18] = [
        "a",
        "b",
        "T",
        "::",
        "::<",
        "<",
        ">",
        "::<impl ",
        " for ",
        " as ",
        "{closure#0}",
        "{{closure}}",
        "(",
        ")",
        ", ",
        "&",
        " -> ",
        "é",
    ];

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 4_000, failure_persistence: None, ..ProptestConfig::default()
        })]

        #[test]
        fn any_pattern(text in "[ab*?:{}/é]{0,12}\n[ab:{}/é]{0,12}") {
            super::pattern(text.as_bytes());
        }

        /// Which begin alike.
        #[test]
        fn any_functions(
            start in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..6),
            form in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..8),
            name in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..8),
        ) {
            let [start, form, name] = [start, form, name].map(|words| words.concat());
            super::pattern(format!("{start}{form}\n{start}{name}").as_bytes());
        }

        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            super::pattern(&bytes);
            super::settings(&bytes);
        }

        #[test]
        fn any_number(text in "[0-9+. -]{0,24}") {
            super::settings(text.as_bytes());
        }
    }
}
