//! Colours, and when there are some.
//!
//! The first of these that says something decides:
//!
//! 1. `LEAKCHECK_COLOR`: `always`, `never` or `auto`; `auto` goes on to the next.
//! 2. `NO_COLOR`, if it is not empty: none.
//! 3. `CLICOLOR_FORCE`, if it is neither empty nor `0`: colours.
//! 4. Standard error is a terminal, and nobody stands between it and the report: a
//!    test's harness prints what it has captured elsewhere and later, so the report
//!    of a test is plain unless the harness was told to capture nothing.

use std::env;
use std::io::{self, IsTerminal};

use anstyle::{AnsiColor, Style};

use super::Subject;
use super::output::Choice;

/// What a report paints with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Styles {
    /// The headline, and what is pointed at.
    pub(super) bad: Style,
    /// Headings.
    pub(super) strong: Style,
    /// Margins and arrows.
    pub(super) line: Style,
}

impl Styles {
    pub(super) const PLAIN: Styles =
        Styles { bad: Style::new(), strong: Style::new(), line: Style::new() };
    const COLOURED: Styles = Styles {
        bad: AnsiColor::Red.on_default().bold(),
        strong: Style::new().bold(),
        line: AnsiColor::Blue.on_default().bold(),
    };

    /// For a report on standard error.
    pub(super) fn of(choice: Choice, subject: &Subject) -> Styles {
        let terminal = || io::stderr().is_terminal() && !is_captured(subject);
        match is_coloured(choice, |name| env::var(name).ok(), terminal) {
            true => Styles::COLOURED,
            false => Styles::PLAIN,
        }
    }
}

fn is_coloured(
    choice: Choice,
    variable: impl Fn(&str) -> Option<String>,
    terminal: impl Fn() -> bool,
) -> bool {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    match choice {
        Choice::Always => true,
        Choice::Never => false,
        Choice::Auto if set("NO_COLOR").is_some() => false,
        Choice::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        Choice::Auto => terminal(),
    }
}

/// Whether a test's harness takes what is printed.
fn is_captured(subject: &Subject) -> bool {
    let asked = env::args().any(|arg| arg == "--nocapture" || arg == "--no-capture");
    let set = env::var_os("RUST_TEST_NOCAPTURE").is_some_and(|value| value != "0");
    matches!(subject, Subject::Test(_)) && !asked && !set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_says_something_decides() {
        let coloured = |choice, variables: &[(&str, &str)], terminal| {
            let find = |name: &str| {
                let found = variables.iter().find(|(one, _)| *one == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            is_coloured(choice, find, || terminal)
        };
        let (no, force) = (("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1"));
        assert!(coloured(Choice::Always, &[no], false));
        assert!(!coloured(Choice::Never, &[force], true));
        assert!(coloured(Choice::Auto, &[], true));
        assert!(!coloured(Choice::Auto, &[], false));
        assert!(!coloured(Choice::Auto, &[no, force], true));
        assert!(coloured(Choice::Auto, &[force], false));
        assert!(!coloured(Choice::Auto, &[("CLICOLOR_FORCE", "0")], false));
        assert!(coloured(Choice::Auto, &[("NO_COLOR", ""), force], false));
    }

    #[test]
    fn plain_paints_nothing() {
        let Styles { bad, strong, line } = Styles::PLAIN;
        assert_eq!(format!("{bad}{strong}{line}{bad:#}{strong:#}{line:#}"), "");
    }
}
