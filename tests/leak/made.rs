//! Who made the leaked task, who made that one, and on what stacks: also when they have
//! ended.

use crate::outputs::{File, field, list, number, text};
use crate::support::Run;
use serde_json::Value;

const FIXTURE: &str = "tests/leak/fixtures/made.rs";

fn fixture(name: &str, variables: &[(&str, &str)]) -> Run {
    let run = Run::fixtures(&[&format!("made::{name}")], variables, &[]);
    assert!(!run.passed, "{}", run.text);
    run
}

/// The lines of a note, without what stands before them.
fn note<'a>(run: &'a Run, key: &str) -> Vec<&'a str> {
    let lead = format!("= {key}: ");
    let mut lines = run.text.lines().skip_while(|line| !line.contains(&lead)).peekable();
    let first = lines.next().unwrap_or_else(|| panic!("no {key}:\n{}", run.text));
    let column = first.find(&lead).unwrap() + 2 + 8;
    let more = lines.take_while(|line| line.len() > column && line[..column].trim().is_empty());
    std::iter::once(first).chain(more).map(|line| line[column..].trim_end()).collect()
}

/// The number of the line that contains this, in the fixture.
fn line_of(code: &str) -> usize {
    let source = include_str!("fixtures/made.rs");
    source.lines().position(|line| line.contains(code)).expect("the line") + 1
}

#[test]
fn makers_are_told_when_they_have_ended() {
    let run = fixture("makers", &[]);
    let [server, first, test] = note(&run, "parent")[..] else { panic!("{}", run.text) };
    let at = |code: &str| format!("made at {FIXTURE}:{}:", line_of(code));
    assert!(server.starts_with("task ") && server.contains(" (`server`, ended), "), "{server}");
    assert!(server.contains(&at("server.go(")) && server.ends_with(" by"), "{server}");
    assert!(first.contains(" (ended), "), "{first}");
    assert!(first.contains(&at("    go(|| {")) && first.ends_with(" by"), "{first}");
    assert!(test.starts_with("task ") && test.ends_with(" (the test itself)"), "{test}");
    run.hides(&["= stack:"]);
}

#[test]
fn stacks_are_shown_if_they_are_asked_for() {
    let run = fixture("stacks", &[]);
    let stack = note(&run, "stack");
    let shown = stack.join("\n");
    let function = |name: &str| format!("leak::fixtures::made::{name}");
    // The line of the call that had not returned yet.
    let in_order = [
        format!("{} at {FIXTURE}:{}", function("listen"), line_of("go(move || inbox.recv())")),
        format!("{}::{{{{closure}}}} at {FIXTURE}:", function("serve")),
        " was made by\n  ".to_owned() + &function("serve"),
        format!("{}::{{{{closure}}}} at {FIXTURE}:", function("leave_a_grandchild")),
        " was made by\n  ".to_owned() + &function("leave_a_grandchild"),
        format!("{}::{{{{closure}}}} at {FIXTURE}:", function("stacks"))
            + &(line_of("fn stacks()") + 1).to_string(),
    ];
    let mut rest = shown.as_str();
    for part in in_order {
        let at = rest.find(&part).unwrap_or_else(|| panic!("no {part:?} in\n{shown}"));
        rest = &rest[at + part.len()..];
    }
    assert!(shown.contains("1 other task was made on another stack)"), "{shown}");
    for other in ["gopark::", "backtrace::", "leakcheck::", "test::", "std::"] {
        assert!(!stack.iter().any(|line| line.trim().starts_with(other)), "{shown}");
    }
}

#[test]
fn the_environment_asks_too() {
    let run = fixture("makers", &[("LEAKCHECK_CREATION_STACKS", "1")]);
    run.shows(&["= stack:  leak::fixtures::made::listen at "]);
}

#[test]
fn a_thread_that_has_ended_is_a_maker() {
    let run = fixture("thread_between", &[]);
    let parent = note(&run, "parent").join("\n");
    let made = format!("made at {FIXTURE}:{} by task ", line_of("thread::spawn(listen)"));
    assert!(parent.contains(" (a thread that is no task, ended), "), "{parent}");
    assert!(parent.contains(&made) && parent.ends_with(" (the test itself)"), "{parent}");
}

#[test]
fn of_a_long_line_the_nearest_are_told() {
    let run = fixture("long_line", &[]);
    let parents = note(&run, "parent");
    assert_eq!(parents.len(), 17, "{}", run.text);
    assert!(parents[..16].iter().all(|line| line.ends_with(" by")), "{parents:?}");
    // 64 are kept, and the number of one more is known.
    assert!(parents[16].ends_with(", and 48 before"), "{parents:?}");
}

#[test]
fn a_panic_has_makers_and_stacks() {
    let run = fixture("panics", &[]);
    let made = line_of("nobody sees it");
    let parent = note(&run, "parent").join(" ");
    assert!(parent.contains(&format!("made at {FIXTURE}:{made}:")), "{parent}");
    assert!(parent.contains(" (ended), ") && parent.ends_with(" (the test itself)"), "{parent}");
    let stack = note(&run, "stack").join("\n");
    assert!(stack.contains(" was made by\n  leak::fixtures::made::start at "), "{stack}");
}

#[test]
fn machines_are_told_as_well() {
    let file = File::new("made");
    fixture("stacks", &[("LEAKCHECK_JSON", file.path())]);
    let reports = file.reports();
    let tasks = list(&reports[0], "groups.0.tasks");
    let ancestors = list(&reports[0], "ancestors");
    assert_eq!((tasks.len(), ancestors.len()), (2, 3));
    let by_id = |id: f64| ancestors.iter().find(|it| number(it, "id") == id).unwrap();
    let server = by_id(number(&tasks[0], "parent"));
    let first = by_id(number(server, "parent"));
    let test = by_id(number(first, "parent"));
    assert_eq!(number(&tasks[1], "parent"), number(test, "id"));
    assert_eq!((text(server, "name"), text(server, "kind")), ("server", "task"));
    let ended = |it| field(it, "ended").as_bool().unwrap();
    assert_eq!([server, first, test].map(ended), [true, true, false]);
    assert_eq!((text(test, "kind"), field(test, "made_at")), ("thread", &Value::Null));
    assert_eq!(number(server, "made_at.line"), line_of("server.go(") as f64);
    assert!(text(server, "made_by").ends_with("made::serve"));
    assert_eq!(text(server, "creation_stack.0.function"), "leak::fixtures::made::serve");
    assert_eq!(text(&tasks[0], "creation_stack.0.function"), "leak::fixtures::made::listen");
    assert!(text(&tasks[0], "creation_stack.0.file").ends_with(FIXTURE));
}
