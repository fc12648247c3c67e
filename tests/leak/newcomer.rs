//! A project of somebody who has read the README: two lines of theirs, and the tests
//! that leave something behind are found.
//!
//! Built as this binary is, debug or release, with what is built already.

use crate::support::Run;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const README: &str = include_str!("../../README.md");

/// The line of the README that begins so.
fn line(begin: &str) -> &'static str {
    let mut lines = README.lines().filter(|line| line.starts_with(begin));
    let line = lines.next().unwrap_or_else(|| panic!("the README has no line `{begin}…`"));
    assert!(lines.next().is_none(), "the README has two lines `{begin}…`");
    line
}

/// What they have written before they heard of `leakcheck`.
const MANIFEST: &str = r#"
[package]
name = "shop"
version = "0.1.0"
edition = "2024"

[dependencies]
gopark = "0.1"

[dev-dependencies]
"#;

const TESTS: &str = r#"
use std::sync::mpsc;
use std::thread;

#[test]
fn leaves_a_thread() {
    let (orders, queue) = mpsc::channel::<u32>();
    thread::spawn(move || queue.into_iter().sum::<u32>());
    std::mem::forget(orders);
}

#[test]
fn leaves_a_task() {
    let (orders, queue) = gopark::chan::bounded::<u32>(4);
    let again = orders.clone();
    gopark::go(move || {
        for order in queue {
            let _ = again.try_send(order / 2);
        }
    });
}

#[test]
fn is_clean() {
    let (orders, queue) = gopark::chan::bounded(4);
    let sum = gopark::go(move || queue.into_iter().sum::<u32>());
    orders.send(3).unwrap();
    drop(orders);
    assert_eq!(sum.join().unwrap(), 3);
    assert_eq!(thread::spawn(|| 1).join().unwrap(), 1);
}
"#;

/// A folder that goes away.
struct Project(PathBuf);

impl Project {
    fn new() -> Project {
        let project =
            Project(env::temp_dir().join(format!("leakcheck-shop-{}", std::process::id())));
        let write = |path: &str, text: String| {
            let path = project.0.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
            fs::write(path, text).expect("it can be written");
        };
        write("Cargo.toml", format!("{MANIFEST}{}\n", line("leakcheck = ")));
        write("src/lib.rs", String::new());
        write("tests/shop.rs", format!("{}\n{TESTS}", line("leakcheck::verify_test_main!")));
        // The versions that have been fetched already.
        write("Cargo.lock", include_str!("../../Cargo.lock").to_owned());
        project
    }

    /// Runs cargo as they would. What is said besides stands for a registry that has
    /// these crates.
    fn cargo(&self, args: &[&str]) -> Run {
        // target/debug/deps/leak-0123
        let binary = env::current_exe().expect("the path of this binary");
        let target = binary.ancestors().nth(3).expect("a target folder");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(&self.0).args(args).arg("--offline");
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        for (name, folder) in
            [("gopark", "runtime"), ("gopark-macros", "macros"), ("leakcheck", "leakcheck")]
        {
            let path = root.join(folder);
            command.arg("--config").arg(format!("patch.crates-io.{name}.path={path:?}"));
        }
        // What an outer run has set is not meant for this one.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            let meant = ["LEAKCHECK_", "NEXTEST", "RUST_TEST_"];
            if meant.iter().any(|begin| text.starts_with(begin)) {
                command.env_remove(name);
            }
        }
        command.env("CARGO_TARGET_DIR", target).env("RUST_BACKTRACE", "0");
        Run::from(command.output().expect("cargo runs"))
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

// Their release builds have no debug information, as nobody has asked for it.
const THREAD: &[&str] = &[
    "leakcheck: 1 thread leaked by test leaves_a_thread\n",
    "[1] 1 thread ",
    #[cfg(debug_assertions)]
    "thread::spawn(move || queue.into_iter().sum::<u32>());\n",
    #[cfg(debug_assertions)]
    "made here, by shop::leaves_a_thread\n",
    #[cfg(not(debug_assertions))]
    "= stack:  not known, as the functions are inlined and the program has no line tables ",
];
const TASK: [&str; 4] = [
    "leakcheck: 1 task leaked by test leaves_a_task\n",
    "[1] 1 task blocked in `chan receive` for ",
    "for order in queue {\n",
    "made here, by shop::leaves_a_task\n",
];

#[test]
fn two_lines_are_enough() {
    let project = Project::new();

    let run = project.cargo(&["test", "--no-fail-fast"]);
    assert_eq!(run.code, Some(101), "cargo's for tests that failed:\n{}", run.text);
    run.shows(&["test result: ok. 3 passed"]).shows(THREAD).shows(&TASK);
    run.shows(&[
        "leakcheck: all tests passed, but these left something behind:\n    \
         leaves_a_task\n    leaves_a_thread\n",
        "leakcheck: the exit code is 1 for that\n",
    ]);
    run.hides(&["by test is_clean", "belongs to no test"]);

    let clean = project.cargo(&["test", "--test", "shop", "is_clean"]);
    assert!(clean.passed, "{}", clean.text);
    clean.shows(&["1 passed"]).hides(&["leakcheck: "]);

    // Each test in a process of its own.
    if !project.cargo(&["nextest", "--version"]).passed {
        println!("SKIPPED: cargo-nextest is not installed, so nobody runs tests by it");
        return;
    }
    let run = project.cargo(&["nextest", "run", "--no-fail-fast"]);
    assert_eq!(run.code, Some(100), "nextest's for tests that failed:\n{}", run.text);
    run.shows(&["1 passed, 2 failed"]).shows(THREAD).shows(&TASK).hides(&["by test is_clean"]);
    for (name, result) in
        [("leaves_a_thread", "FAIL"), ("leaves_a_task", "FAIL"), ("is_clean", "PASS")]
    {
        let lines = run.text.lines().filter(|line| line.ends_with(&format!("shop::shop {name}")));
        let results: Vec<_> = lines.filter_map(|line| line.split_whitespace().next()).collect();
        let right = !results.is_empty() && results.iter().all(|it| *it == result);
        assert!(right, "{name} is not {result} but {results:?}:\n{}", run.text);
    }
}
