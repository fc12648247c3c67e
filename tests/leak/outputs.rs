//! What machines are told of a leak, and what people see besides.

use crate::schema;
use crate::support::Run;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const SCHEMA: &str = include_str!("../../leakcheck/docs/report.schema.json");

/// A file that is not there yet, for one test.
pub(crate) struct File(PathBuf);

impl File {
    pub(crate) fn new(name: &str) -> File {
        let name = format!("leakcheck-{}-{name}.jsonl", std::process::id());
        File(std::env::temp_dir().join(name))
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("text")
    }

    /// The reports in it, each of which fits the schema.
    pub(crate) fn reports(&self) -> Vec<Value> {
        let schema: Value = SCHEMA.parse().expect("the schema is JSON");
        let text = std::fs::read_to_string(&self.0).expect("the file was written");
        assert!(text.ends_with('\n'), "{text}");
        let parse = |line: &str| -> Value {
            let report: Value = line.parse().unwrap_or_else(|error| panic!("{error}: {line}"));
            schema::check(&schema, &report).unwrap_or_else(|error| panic!("{error}\n{line}"));
            report
        };
        text.lines().map(parse).collect()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What a flight recorder has of the time before a leak.
#[test]
fn a_leak_is_recorded() {
    let name = format!("leakcheck-{}-recorded", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir(&folder).unwrap();
    let variables =
        [("GOPARK_DEBUG", "flightrecorder=60"), ("TMPDIR", folder.to_str().expect("text"))];
    let run = run("torn_a", 1, &variables);
    let line = "gopark: what came before the leak is in ";
    assert_eq!(run.text.matches(line).count(), 1, "{}", run.text);
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()).collect();
    let trace = files.iter().find(|path| path.to_str().unwrap().ends_with("-leak.trace"));
    let bytes = std::fs::read(trace.expect("the file")).unwrap();
    assert!(bytes.windows(9).any(|part| part == b"chan send"));
    std::fs::remove_dir_all(folder).unwrap();
}

/// Runs ignored tests whose names begin so.
fn run(names: &str, tests: usize, variables: &[(&str, &str)]) -> Run {
    let run = Run::of(&["--ignored", &format!("fixtures::kinds::{names}")], variables);
    run.must_have_run(tests);
    assert!(!run.passed, "{}", run.text);
    run
}

pub(crate) fn field<'a>(value: &'a Value, path: &str) -> &'a Value {
    let pointer = format!("/{}", path.replace('.', "/"));
    value.pointer(&pointer).unwrap_or_else(|| panic!("no {path} in {value}"))
}

pub(crate) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    field(value, path).as_str().unwrap_or_else(|| panic!("{path} is no text"))
}

pub(crate) fn list<'a>(value: &'a Value, path: &str) -> &'a Vec<Value> {
    field(value, path).as_array().unwrap_or_else(|| panic!("{path} is no list"))
}

pub(crate) fn number(value: &Value, path: &str) -> f64 {
    field(value, path).as_f64().unwrap_or_else(|| panic!("{path} is no number"))
}

/// The line of the fixture in which this stands.
fn line_of(code: &str) -> f64 {
    let fixture = include_str!("fixtures/kinds.rs");
    let line = fixture.lines().position(|line| line.contains(code)).expect("the line");
    (line + 1) as f64
}

#[test]
fn json_says_what_each_kind_of_leak_waits_for() {
    let file = File::new("kinds");
    let run = run("every_kind", 1, &[("LEAKCHECK_JSON", file.path())]);
    let reports = file.reports();
    let [report] = &reports[..] else { panic!("one report:\n{}", run.text) };
    assert_eq!(text(report, "subject.kind"), "test");
    assert_eq!(text(report, "subject.name"), "fixtures::kinds::every_kind");
    assert!(run.text.contains(&format!("leakcheck: {}\n", text(report, "headline"))));
    assert!(!field(report, "proven").as_bool().unwrap(), "one sleeps");

    let groups = list(report, "groups");
    let named: BTreeMap<&str, &Value> = groups
        .iter()
        .filter_map(|group| Some((field(group, "tasks.0.name").as_str()?, group)))
        .collect();
    assert_eq!((groups.len(), named.len()), (21, 19), "two tasks have no name:\n{}", run.text);
    let state = |name: &str| (text(named[name], "state"), text(named[name], "reason"));
    for (name, reason) in [
        ("nil receive", "chan receive (nil chan)"),
        ("nil send", "chan send (nil chan)"),
        ("no case", "select (no cases)"),
        ("receive", "chan receive"),
        ("send", "chan send"),
        ("select", "select"),
        ("group", "sync.WaitGroup.Wait"),
        ("mutex", "sync.Mutex.Lock"),
        ("read", "sync.RWMutex.RLock"),
        ("write", "sync.RWMutex.Lock"),
        ("condition", "sync.Cond.Wait"),
        ("semaphore", "sync.Semaphore.Acquire"),
        ("barrier", "sync.Barrier.Wait"),
        ("join", "join"),
    ] {
        assert_eq!(state(name), ("blocked", reason));
    }
    assert_eq!(state("sleep"), ("sleeping", "sleep"));

    // What they wait for.
    let end = |name: &str| field(named[name], "tasks.0.waits_for.0");
    let send = end("send");
    assert_eq!((text(send, "kind"), text(send, "wants_to")), ("channel", "send"));
    assert_eq!((number(send, "capacity"), number(send, "len")), (1.0, 1.0));
    assert_eq!((number(send, "senders"), number(send, "receivers")), (1.0, 4.0));
    let clones = list(send, "handles").iter();
    let clones: Vec<_> = clones.filter(|it| number(it, "count") == 3.0).collect();
    assert_eq!(text(clones[0], "half"), "receive");
    assert_eq!(number(clones[0], "made_at.line"), line_of("rx.clone()"));
    let id = number(named["select"], "tasks.0.id");
    assert_eq!(number(end("select"), "handles.0.last_users.0"), id);
    assert_eq!(list(named["select"], "tasks.0.waits_for").len(), 2);
    assert_eq!(number(end("group"), "count"), 2.0);
    assert_eq!(number(end("group"), "counted.at.line"), line_of("group.add(2)"));
    assert_eq!(number(named["mutex"], "tasks.0.lock.holder.at.line"), line_of("(lock.lock());"));
    let semaphore = end("semaphore");
    let amounts = ["wants", "free", "size"].map(|name| number(semaphore, name));
    assert_eq!(amounts, [2.0, 1.0, 2.0]);
    assert_eq!(number(semaphore, "taken.at.line"), line_of("semaphore.acquire(1)"));
    assert_eq!((number(end("barrier"), "parties"), number(end("barrier"), "arrived")), (3.0, 1.0));
    assert_eq!(text(end("condition"), "kind"), "condvar");
    assert!(field(end("condition"), "signalled").is_null());
    let late = number(named["late for the signal"], "tasks.0.id");
    assert_eq!(number(end("late for the signal"), "signalled.task"), late);
    assert!(field(end("context"), "context").as_bool().unwrap());
    assert!(!field(send, "context").as_bool().unwrap());
    let asks = number(named["asks to write"], "tasks.0.id");
    let joined = number(end("join"), "task");
    let child = groups.iter().find(|group| number(group, "tasks.0.id") == joined).unwrap();
    assert_eq!(text(child, "reason"), "join");

    // And a person is told the same.
    run.shows(&[
        "= for:    a value on a channel that never has one (`chan::never`)\n",
        "= for:    nothing: the select has no case that could ever be ready\n",
        &format!(
            "= for:    room in the channel made at tests/leak/fixtures/kinds.rs:{}:20 \
             (buffer of 1, full)\n",
            line_of("(tx, rx) = chan::bounded(1)")
        ),
        "4 receivers are alive:\n",
        &format!("3 cloned at tests/leak/fixtures/kinds.rs:{}:44\n", line_of("rx.clone()")),
        "1 made with the channel, not used yet\n",
        "= for:    one of 2 cases\n",
        "0: a value on the channel made at",
        &format!("last used by task {id} (this one)\n"),
        "= for:    a wait group with 2 things to be done; counted up last at",
        "= locked: by task 1 (the test itself) at",
        "= for:    readers to let go of the lock:\n",
        "task 1 (the test itself), who reads since tests/leak/fixtures/kinds.rs:",
        "= for:    a signal of a condition variable, which nobody has ever signalled\n",
        &format!(
            "= for:    a signal of a condition variable; the last one was given at \
             tests/leak/fixtures/kinds.rs:{}:17 by task {late} (this one), before this wait or to \
             another\n",
            line_of("changed.notify_all()")
        ),
        &format!(
            "= for:    the end of the context made at tests/leak/fixtures/kinds.rs:{}:51, which \
             nobody has cancelled\n",
            line_of("with_cancel()")
        ),
        &format!(
            "= behind: task {asks} (leaked, too: [{}]), who asked to write at \
             tests/leak/fixtures/kinds.rs:{}:45 and comes first\n",
            groups.iter().position(|it| std::ptr::eq(it, named["asks to write"])).unwrap() + 1,
            line_of("asks.write()")
        ),
        "= for:    2 permits of a semaphore: 1 of 2 free; taken last at",
        "= for:    the others at a barrier: 1 of 3 have come\n",
        &format!("= for:    the end of task {joined} (leaked, too: ["),
        ", which waits for the end of task ",
        ", which is in `chan receive` at tests/leak/fixtures/kinds.rs:",
        "= for:    the time: 59 min 5",
    ]);
}

/// What the test itself waits for, and the ring of locks that it may be part of.
#[test]
fn json_says_how_a_test_hangs() {
    let report = |name: &str| {
        let file = File::new(name);
        let fixture = format!("hang::{name}");
        let run = Run::fixtures(&[&fixture], &[("LEAKCHECK_JSON", file.path())], &[]);
        assert!(!run.passed, "{}", run.text);
        let mut reports = file.reports();
        assert_eq!(reports.len(), 1, "{}", run.text);
        reports.remove(0)
    };
    let hangs = report("under_a_lock");
    assert_eq!(text(&hangs, "body.reason"), "chan receive");
    assert!(field(&hangs, "body.unwound").as_bool().unwrap());
    assert_eq!(number(&hangs, "body.task.waits_for.0.senders"), 1.0);
    let body = number(&hangs, "body.task.id");
    assert_eq!(list(&hangs, "groups.0.tasks").len(), 2);
    assert_eq!(number(&hangs, "groups.0.tasks.0.lock.holder.task"), body);
    assert!(list(&hangs, "deadlocks").is_empty());

    let ring = report("locks_twice");
    let [ring_of_one] = &list(&ring, "deadlocks")[..] else { panic!("{ring}") };
    assert_eq!(number(ring_of_one, "0.task"), number(&ring, "body.task.id"));
    assert_eq!(number(ring_of_one, "0.holder.task"), number(&ring, "body.task.id"));
}

/// There may be a mistake in them.
#[test]
fn json_says_which_rules_are_for_nothing() {
    for (name, rules) in [
        (
            "arguments::none_of_them",
            &[
                "ignore_created_by exact(\"leak::fixtures::arguments::none\")",
                "ignore_label \"tier\" exact(\"web\")",
                "ignore_top_function exact(\"leak::fixtures::arguments::parent\")",
                "ignore_any_function exact(\"leak::fixtures::arguments::none\")",
                "ignore_site exact(\"leak/arguments.rs\")",
                "ignore_name exact(\"none\")",
            ][..],
        ),
        ("arguments::of_use_and_leaks", &[]),
        ("hang::with_a_rule_for_nothing", &["ignore_name exact(\"none\")"]),
    ] {
        let file = File::new(&name.replace("::", "-"));
        let run = Run::fixtures(&[name], &[("LEAKCHECK_JSON", file.path())], &[]);
        assert!(!run.passed, "{name} should fail:\n{}", run.text);
        let reports = file.reports();
        let [report] = &reports[..] else { panic!("one report:\n{}", run.text) };
        assert_eq!(list(report, "unused_rules"), rules, "{name}");
    }
}

#[test]
fn json_lines_of_tests_that_end_together_do_not_mix() {
    let file = File::new("torn");
    for round in 1..=2 {
        let variables = [("LEAKCHECK_JSON", file.path()), ("RUST_TEST_THREADS", "5")];
        run("torn_", 5, &variables);
        assert_eq!(file.reports().len(), 5 * round, "appended");
    }
}

#[test]
fn a_file_that_cannot_be_written_changes_no_verdict() {
    let run = run("torn_a", 1, &[("LEAKCHECK_JSON", "/does/not/exist.jsonl")]);
    run.shows(&[
        "leakcheck: LEAKCHECK_JSON=/does/not/exist.jsonl: the report cannot be written there: ",
        "1 task leaked by test fixtures::kinds::torn_a",
        "test result: FAILED. 0 passed; 1 failed",
    ]);
}

#[test]
fn a_panic_nobody_saw_is_told_to_machines() {
    let file = File::new("panic");
    let run = run("a_panic", 1, &[("LEAKCHECK_JSON", file.path()), ("GITHUB_ACTIONS", "true")]);
    let reports = file.reports();
    assert_eq!(text(&reports[0], "panics.0.message"), "50% of it\nis gone");
    let line = line_of("panic!(\"50%");
    run.shows(&[&format!(
        "\n::error file=tests/leak/fixtures/kinds.rs,line={line},col=5,title=1 task that nobody \
         joined panicked in test fixtures%3A%3Akinds%3A%3Aa_panic::a task that nobody joined \
         panicked: 50%25 of it%0Ais gone\n"
    )]);
}

#[test]
fn annotations_are_made_where_they_are_read() {
    const SIGN: &str = "\n::error file=";
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = root.to_str().expect("text");
    let inside = run("torn_a", 1, &[("GITHUB_ACTIONS", "true"), ("GITHUB_WORKSPACE", root)]);
    inside.shows(&[
        "\n::error file=leak/fixtures/mod.rs,line=",
        ",title=1 task leaked by test fixtures%3A%3Akinds%3A%3Atorn_a::1 task blocked in `chan \
         send` for ",
        "%0Asomebody who receives on the channel made at tests/leak/fixtures/mod.rs:",
        "%0Anothing can wake it: ",
    ]);
    assert_eq!(inside.text.matches(SIGN).count(), 1, "{}", inside.text);
    run("torn_a", 1, &[("LEAKCHECK_GITHUB", "always")]).shows(&[SIGN]);
    run("torn_a", 1, &[]).hides(&["::error"]);
    run("torn_a", 1, &[("GITHUB_ACTIONS", "true"), ("LEAKCHECK_GITHUB", "never")])
        .hides(&["::error"]);
    run("torn_a", 1, &[("LEAKCHECK_GITHUB", "yes")])
        .hides(&["::error"])
        .shows(&["LEAKCHECK_GITHUB is `yes`; it can be `always`, `never` or `auto`"]);
}

#[test]
fn what_is_captured_has_no_colours() {
    const ESCAPE: &str = "\u{1b}[";
    run("torn_a", 1, &[]).hides(&[ESCAPE]);
    run("torn_a", 1, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).hides(&[ESCAPE]);
    run("torn_a", 1, &[("LEAKCHECK_COLOR", "never"), ("CLICOLOR_FORCE", "1")]).hides(&[ESCAPE]);
    let painted = run("torn_a", 1, &[("LEAKCHECK_COLOR", "always"), ("NO_COLOR", "1")]);
    painted.shows(&["\u{1b}[1m\u{1b}[31mleakcheck: 1 task leaked", "-->\u{1b}[0m "]);
    run("torn_a", 1, &[("CLICOLOR_FORCE", "1")]).shows(&[ESCAPE]);
}
