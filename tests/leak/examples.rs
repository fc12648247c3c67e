//! What the examples print.

use crate::support::Cargo;

/// What an example prints.
fn example(name: &str) -> String {
    let run = Cargo::new()
        .args(&["run", "--quiet", "--package", "gopark-examples", "--example", name])
        .run();
    assert!(run.passed, "{}", run.text);
    run.text
}

/// The line of an example that contains this, as `file:line`.
fn place(name: &str, code: &str) -> String {
    let file = format!("examples/examples/{name}.rs");
    let path = format!(concat!(env!("CARGO_MANIFEST_DIR"), "/../{}"), file);
    let source = std::fs::read_to_string(path).expect("the example");
    let line = source.lines().position(|line| line.contains(code)).expect("the line");
    format!("{file}:{}", line + 1)
}

#[track_caller]
fn shows(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "does not say {part:?}:\n{text}");
    }
}

#[test]
fn three_leaks() {
    let text = example("three_leaks");
    let place = |code| place("three_leaks", code);
    let parts: Vec<&str> = text.split("=== ").skip(1).collect();
    assert_eq!(parts.len(), 3, "{text}");

    shows(parts[0], &["1 task leaked", "blocked in `chan send`", "[chan send (leaked)]:"]);
    shows(
        parts[0],
        &[&place("answers.send(42)"), "go(move || answers.send(42)); // waits for ever"],
    );
    shows(parts[0], &["nothing can wake it"]);

    shows(parts[1], &["1 task leaked", "1 task sleeping", "[sleep]:"]);
    shows(parts[1], &[&place("gopark::sleep"), &place("    go(move || {")]);

    shows(
        parts[2],
        &["1 task leaked", "blocked in `sync.Mutex.Lock`", "[sync.Mutex.Lock (leaked)]:"],
    );
    shows(parts[2], &[&place("*lock.lock() += 1"), "waits here", "made here, by"]);
    shows(parts[2], &["nothing can wake it"]);

    shows(parts[2], &["\n\nfound 3 of 3 leaks\n"]);
}

#[test]
fn first_leak() {
    let text = example("first_leak");
    shows(
        &text,
        &["1 task leaked", "blocked in `chan send`", &place("first_leak", "tx.send(\"hello\")")],
    );
}
