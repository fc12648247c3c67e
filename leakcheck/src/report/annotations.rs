//! Annotations that GitHub shows beside the source: workflow commands, a line each.
//!
//! ```text
//! ::error file=src/lib.rs,line=8,col=9,title=1 task leaked by test doubles::blocked in …
//! ```
//!
//! The runner reads them from whatever a step prints, indented or not.

use std::env;
use std::fmt::Write as _;
use std::panic::Location;
use std::path::Path;

use gopark::inspect::source;

use super::text::{Count, Why, what};
use super::{Report, ends, found};

/// One for each group of leaks, for each block of what is no task, and for each panic.
pub(super) fn lines(report: &Report) -> String {
    let root = env::var("GITHUB_WORKSPACE").ok();
    let title = report.headline().to_string();
    let mut text = String::new();
    for (n, group) in report.groups.iter().enumerate() {
        let tasks: Vec<_> = group.members.iter().map(|at| &report.tasks[*at]).collect();
        let mut message = format!("{} {}", Count(tasks.len(), "task"), what(group.state, &tasks));
        for line in ends::lines(report, n, group) {
            let _ = write!(message, "\n{line}");
        }
        let _ = write!(message, "\nmade at {}", group.created_at);
        let _ = write!(message, "\n{}", Why { group, report });
        let at = group.wait_site.unwrap_or(group.created_at);
        text += &line(&file(at, root.as_deref()), at, &title, &message);
    }
    for block in report.found.iter().flat_map(found::blocks) {
        let item = block[0];
        let mut message = format!("{} {}", Count(block.len(), &item.kind), item.does);
        for text in [&item.function, &item.why].into_iter().filter(|text| !text.is_empty()) {
            let _ = write!(message, "\n{text}");
        }
        text += &match item.places.first() {
            Some(at) => spot(&at.file, at.line, at.column, &title, &message),
            None => format!("::error title={}::{}\n", property(&title), data(&message)),
        };
    }
    for panic in &report.panics {
        let message = format!("a task that nobody joined panicked: {}", panic.message);
        let at = panic.created_at;
        text += &line(&file(at, root.as_deref()), at, &title, &message);
    }
    text
}

fn line(file: &str, at: &Location<'_>, title: &str, message: &str) -> String {
    spot(file, at.line(), at.column(), title, message)
}

fn spot(file: &str, line: u32, column: u32, title: &str, message: &str) -> String {
    format!(
        "::error file={},line={line},col={column},title={}::{}\n",
        property(file),
        property(title),
        data(message)
    )
}

/// The path as GitHub knows it: from the root of the checkout on.
fn file(at: &Location<'_>, root: Option<&str>) -> String {
    let path = source::absolute(at);
    match root.and_then(|root| Path::new(&path).strip_prefix(root).ok()) {
        Some(inside) => inside.display().to_string(),
        None => at.file().to_owned(),
    }
}

/// The text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property, which ends at a comma or a colon.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_is_escaped() {
        assert_eq!(data("50% of a:b,c\r\nnext"), "50%25 of a:b,c%0D%0Anext");
        assert_eq!(property("50% of a:b,c\r\nnext"), "50%25 of a%3Ab%2Cc%0D%0Anext");
        // Not escaped twice.
        assert_eq!(data("%0A"), "%250A");
        let at = Location::caller();
        let shown = line("a,b.rs", at, "it's: here", "one\ntwo: 100%");
        let (line, column) = (at.line(), at.column());
        assert_eq!(
            shown,
            format!(
                "::error file=a%2Cb.rs,line={line},col={column},title=it's%3A here::one%0Atwo: 100%25\n"
            )
        );
    }

    #[test]
    fn files_are_named_from_the_root_of_the_checkout() {
        let at = Location::caller();
        let absolute = source::absolute(at);
        let root = absolute.strip_suffix("/src/report/annotations.rs").expect("this file");
        assert_eq!(file(at, Some(root)), "src/report/annotations.rs");
        assert_eq!(file(at, Some("/somewhere/else")), at.file());
        assert_eq!(file(at, None), at.file());
    }
}
