//! What the examples print.

use crate::sched_lines::{Block, parse};
use crate::support::{Cargo, Run};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

/// What an example prints.
fn example(name: &str) -> String {
    let run = started(name, &[]);
    assert!(run.passed, "{}", run.text);
    run.text
}

fn started(name: &str, args: &[&str]) -> Run {
    Cargo::new()
        .args(&["run", "--quiet", "--package", "gopark-examples", "--example", name, "--"])
        .args(args)
        .run()
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

/// What `curl` prints. The example serves until its input ends.
fn curl(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the example listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("somebody reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{answer}");
    body.to_owned()
}

/// `GOPARK_TEST_MINUTES` says how long the leak shall be blocked.
#[test]
fn debug_server() {
    let minutes = std::env::var("GOPARK_TEST_MINUTES").ok();
    let minutes: u64 = minutes.map_or(0, |text| text.parse().expect("a number"));
    let mut cargo = Cargo::new();
    cargo.args(&["run", "--quiet", "--package", "gopark-examples", "--example", "debug_server"]);
    let command = cargo.args(&["--", "127.0.0.1:0"]).command();
    let mut server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cargo");
    let mut line = String::new();
    let out = server.stdout.take().expect("a pipe was asked for");
    BufReader::new(out).read_line(&mut line).expect("a line");
    let address =
        line.trim().strip_prefix("http://").and_then(|it| it.strip_suffix("/debug/pprof/"));
    let address = address.unwrap_or_else(|| panic!("no address: {line:?}"));

    let waits = match minutes {
        0 => "[chan send]:".to_owned(),
        minutes => format!("[chan send, {minutes} minutes]:"),
    };
    let dump = loop {
        let dump = curl(address, "/debug/pprof/goroutine?debug=2");
        if dump.contains(&waits) {
            break dump;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let blocks: Vec<&str> = dump.trim_end().split("\n\n").collect();
    let leak = blocks.iter().find(|block| block.contains(&waits)).expect("seen above");
    let lines: Vec<&str> = leak.lines().collect();
    let at =
        |line: &str, place: &str| line.starts_with("\t/") && line.contains(&format!("{place} +0x"));
    assert_eq!(lines.len(), 5, "{dump}");
    assert!(lines[0].starts_with("goroutine ") && lines[0].ends_with(&waits), "{dump}");
    assert_eq!(lines[1], "debug_server::leak::{{closure}}(...)", "{dump}");
    assert!(at(lines[2], &place("debug_server", "tx.send(42)")), "{dump}");
    assert!(lines[3].starts_with("created by debug_server::leak in goroutine "), "{dump}");
    assert!(at(lines[4], &place("debug_server", "go(move || {")), "{dump}");

    let leaks = curl(address, "/debug/leaks?minutes=0");
    shows(&leaks, &["1 task blocked", "chan send at ", &place("debug_server", "tx.send(42)")]);
    drop(server.stdin.take());
    assert!(server.wait().expect("a status").success());
}

/// The cells of a table's line. Two blanks part them: one is inside of numbers.
fn cells(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

/// `4 800 B` is 4800.
#[track_caller]
fn number(cell: &str) -> f64 {
    let digits: String = cell.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
    digits.parse().unwrap_or_else(|_| panic!("no number: {cell:?}"))
}

#[test]
fn million() {
    let run = started("million", &["20_000"]);
    assert!(run.passed, "{}", run.text);
    let text = &run.text;
    let row = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        cells(line.unwrap_or_else(|| panic!("no line {name:?}:\n{text}")))
    };
    let figure = |name| number(row(name)[1]);
    let between = |name, least: f64, most: f64| {
        let figure = figure(name);
        assert!((least..=most).contains(&figure), "{name}: {figure}\n{text}");
    };

    shows(text, &["20 000 tasks, stacks of the 64 KiB class", "measured", "limit"]);
    // A stack has a page at least, and at most all that it may have.
    between("resident memory of a task", 4096.0, 65536.0 + 4096.0);
    // Eight bytes for a page at least, of 64 KiB at least.
    between("page tables of a task", 128.0, 1024.0);
    assert_eq!(
        figure("both"),
        figure("resident memory of a task") + figure("page tables of a task"),
        "{text}"
    );
    between("memory mappings of the process", 10.0, 199.0);
    for (name, limit) in [
        ("resident memory of a task", 4800.0),
        ("page tables of a task", 300.0),
        ("memory mappings of the process", 199.0),
    ] {
        let row = row(name);
        assert_eq!((number(row[2]), row[3]), (limit, "not judged"), "{text}");
    }
    for name in [
        "start all, until they are parked",
        "wake all, until they are parked again",
        "wake all, until they have ended",
    ] {
        assert!(row(name)[1].ends_with(" ms") && figure(name) > 0.0, "{name}\n{text}");
    }
    for name in ["dump of counts by group", "scavenge pass"] {
        assert!(row(name)[1].ends_with(" ms"), "{name}\n{text}");
    }

    let start = figure("resident at the start");
    let crowd = figure("resident with all of them") - start;
    let after = figure("resident after the scavenge pass") - start;
    assert!(crowd > 20_000.0 * 4096.0 / 1048576.0, "{text}");
    assert!(after < crowd / 2.0, "{text}");
    let limit = number(row("resident after the scavenge pass")[2]);
    // 256 bytes for each; the table's figures are rounded.
    assert!((limit - start - 16.0 - 20_000.0 * 256.0 / 1048576.0).abs() < 0.2, "{text}");

    let site = place("million", "waiting.recv()");
    shows(text, &[&format!("20000 tasks: chan receive at {site} for ")]);
    shows(text, &["The limits hold from 100 000 tasks on, in a release build."]);
    shows(text, &["million: starting 20 000 tasks", "million: waking", "million: letting"]);
}

#[test]
fn million_wants_a_number() {
    for (args, says) in [
        (&["many"][..], "must be a number above 0, not \"many\""),
        (&["0"], "must be a number above 0, not \"0\""),
        (&["1", "2"], "one number is enough, what is \"2\"?"),
    ] {
        let run = started("million", args);
        assert_eq!(run.code, Some(2), "{args:?}\n{}", run.text);
        shows(&run.text, &[says, "usage: million [COUNT]"]);
    }
}

#[test]
fn echo_server() {
    let run = started("echo_server", &["300"]);
    assert!(run.passed, "{}", run.text);
    let text = &run.text;
    shows(text, &["300 idle connections"]);
    shows(text, &["64 clients, 64000 messages of 128 bytes: ", "99 of 100 within "]);
    // Clients may have gone whose end the server has not seen yet.
    let ended = text.split("and with it ").nth(1).and_then(|rest| rest.split(' ').next());
    let ended = number(ended.unwrap_or_else(|| panic!("no end:\n{text}")));
    assert!((300.0..=364.0).contains(&ended), "{text}");
    shows(text, &["the idle clients have read to the end: exit status: 0"]);

    let wrong = started("echo_server", &["many"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.text);
    shows(&wrong.text, &["usage: echo_server [IDLE]"]);
}

#[test]
fn deep_recursion() {
    let text = example("deep_recursion");
    let parts: Vec<&str> = text.split("=== ").skip(1).collect();
    assert_eq!(parts.len(), 4, "{text}");
    // The lines of a table below its heading, as numbers.
    let table = |part: &str| -> Vec<[f64; 3]> {
        let lines = part.lines().skip(3).take_while(|line| !line.is_empty());
        let row =
            |line| <[f64; 3]>::try_from(cells(line).into_iter().map(number).collect::<Vec<_>>());
        lines.map(|line| row(line).expect("three columns")).collect()
    };

    let growing = table(parts[0]);
    let (down, [back]) = growing.split_at(5) else { panic!("six depths:\n{text}") };
    let rises = |column: usize| down.windows(2).all(|pair| pair[0][column] < pair[1][column]);
    assert!(rises(0) && rises(1) && down[4][0] >= 5_000.0, "{text}");
    for [deep, high, committed] in &growing {
        assert!(high >= deep && committed + 4.0 >= *high, "{text}");
    }
    // A stack keeps what it has while its task runs. Finding that out takes some.
    assert!(back[0] < down[4][0] && back[1] >= down[4][1], "{text}");
    assert!(back[2] + 4.0 >= down[4][1], "{text}");

    let shrinking = table(parts[1]);
    let (first, last) = (shrinking[0], shrinking[shrinking.len() - 1]);
    assert!(first[1] >= 200.0 && last[1] <= 8.0, "{text}");
    assert!(shrinking.windows(2).all(|pair| pair[0][1] > pair[1][1]), "{text}");
    assert!(last[2] > first[2], "{text}");
    shows(parts[1], &["KiB stay committed"]);

    let segments = parts[2].split("64 MiB through ensure, on ").nth(1).expect("segments");
    let segments = number(segments.split(' ').next().expect("a word"));
    assert!(segments >= 64.0, "{text}");
    shows(parts[2], &["64 MiB through grow, on one segment"]);

    shows(parts[3], &["stack overflow in task", "bottomless", "256 KiB", "stack_limit(512 << 10)"]);
    shows(parts[3], &["GOPARK_STACK=512K", "elided", "the process ended with signal: 6"]);
    // Where it was made, and its outermost frame.
    let made = place("deep_recursion", "descend(0, &mut || ())");
    assert_eq!(parts[3].matches(&made).count(), 2, "{text}");

    // The README shows the message; numbers differ from run to run.
    let constant = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.trim().replace(|c: char| c.is_ascii_digit(), "")).collect()
    };
    let readme = include_str!("../../README.md").split("```text\n").nth(2).expect("the message");
    let (message, _) = readme.split_once("```").expect("its end");
    let printed = constant(parts[3]);
    for line in constant(message) {
        assert!(printed.contains(&line), "the README says {line:?}:\n{text}");
    }
}

/// Mean and worst delay in milliseconds, of the last line.
#[track_caller]
fn delays(text: &str) -> [f64; 2] {
    let last = text.lines().last().expect("a line");
    let rest = last.strip_prefix("woke late by ").expect("the last line");
    let (mean, worst) = rest.split_once(" ms on the mean, ").expect("both delays");
    let worst = worst.strip_suffix(" ms at worst").expect("both delays");
    [mean, worst].map(|number| number.parse().expect("a number"))
}

/// That it ends shows that the loops are suspended. How soon, the bench tells.
#[test]
fn busy_loop() {
    for (args, says) in [
        (&[][..], "1 busy loops on 1 processors, and a task that sleeps 100 times"),
        (&["1", "1", "20"], "1 busy loops on 1 processors, and a task that sleeps 20 times"),
        (&["2", "5", "20"], "2 busy loops on 2 processors, and a task that sleeps 20 times"),
    ] {
        let run = started("busy_loop", args);
        assert!(run.passed, "{}", run.text);
        shows(&run.text, &[says]);
        let [mean, worst] = delays(&run.text);
        assert!(0.0 < mean && mean <= worst, "{}", run.text);
    }
}

#[test]
fn busy_loop_wants_numbers() {
    for (args, says) in [
        (&["many"][..], "\"many\" is no number above 0"),
        (&["1", "0"], "\"0\" is no number above 0"),
        (&["1", "2000"], "a slice is between 1ms and 1s"),
        (&["1", "10", "5", "7"], "three numbers are enough, what is \"7\"?"),
    ] {
        let run = started("busy_loop", args);
        assert_eq!(run.code, Some(2), "{args:?}\n{}", run.text);
        shows(&run.text, &[says, "usage: busy_loop [PROCESSORS [SLICE_MS [NAPS]]]"]);
    }
}

#[test]
fn patterns() {
    let text = example("patterns");
    let expected = "\
=== worker pool
the squares of 1 to 10 add up to 385
=== done channel
stopped at 3
=== try-send
kept [0, 1], dropped 3
=== cancellation tree
query: context cancelled
other request: None
other request: context cancelled
=== pipeline
<1><4><9><16>
=== fan-in
a1 a2 b1 b2 c1 c2
=== rate limiter
5 requests, no faster than allowed: true
=== 7 of 7 left nothing behind
";
    assert_eq!(text, expected);
}

const IT: &str = "   <- this is it";

/// The lines of a program as `schedtrace` shows them: the three at least that the example
/// says show what it was made for.
#[track_caller]
fn patterns_of(name: &str, says: &str) -> Vec<Block> {
    let run = started("schedtrace", &[name]);
    assert!(run.passed, "{}", run.text);
    let (last, lines) = {
        let mut lines: Vec<&str> = run.text.lines().collect();
        (lines.pop().unwrap_or_default().to_owned(), lines)
    };
    assert!(last.starts_with(&format!("{name}: {says}")), "{}", run.text);
    let all = parse(lines.iter().map(|line| line.strip_suffix(IT).unwrap_or(line)));
    let all = all.unwrap_or_else(|error| panic!("{error}\n{}", run.text));
    assert!(all.is_sorted_by_key(|block| block.milliseconds), "{}", run.text);
    let shown = all.into_iter().zip(&lines).filter(|(_, line)| line.ends_with(IT));
    let shown: Vec<Block> = shown.map(|(block, _)| block).collect();
    assert_eq!(shown.len(), 3, "{}", run.text);
    // The first line may come before the program has said how many it wants.
    let all_eight = |block: &Block| block.maxprocs == 8 && block.queues.len() == 8;
    assert!(shown.iter().all(all_eight), "{}", run.text);
    shown
}

fn schedtrace_of_a_healthy_program() {
    for block in patterns_of("healthy", "every processor is busy, its queue is short") {
        assert_eq!((block.idle_processors, block.run_queue), (0, 0), "{block:?}");
        assert!(block.threads >= 10 && block.idle_threads + block.spinning >= 1, "{block:?}");
        assert!(block.queues.iter().all(|length| (8..=15).contains(length)), "{block:?}");
    }
}

fn schedtrace_of_a_starved_program() {
    for block in patterns_of("starved", "every processor is busy, all queues are long") {
        assert_eq!((block.idle_processors, block.spinning), (0, 0), "{block:?}");
        // Nobody takes any of them.
        assert_eq!((block.run_queue, &*block.queues), (500, &[64; 8][..]), "{block:?}");
    }
}

fn schedtrace_of_a_blocked_program() {
    for block in patterns_of("blocked", "processors are idle, queues are empty") {
        assert_eq!((block.idle_processors, block.spinning), (7, 0), "{block:?}");
        assert_eq!(block.run_queue, 0, "{block:?}");
        assert!(block.idle_threads >= 44 && block.threads >= 47, "{block:?}");
        let mut queues = block.queues.clone();
        queues.sort_unstable();
        assert_eq!(queues, [0, 0, 0, 0, 0, 0, 0, 1], "{block:?}");
    }
}

#[test]
fn schedtrace() {
    schedtrace_of_a_healthy_program();
    schedtrace_of_a_starved_program();
    schedtrace_of_a_blocked_program();
}

#[test]
fn schedtrace_wants_a_program() {
    for args in [&[][..], &["sick"], &["healthy", "starved"]] {
        let run = started("schedtrace", args);
        run.ends_with(2);
        assert_eq!(run.text, "usage: schedtrace healthy|starved|blocked\n");
    }
}

/// What it prints of a trace, `trace_file` says.
#[test]
fn chrome_json() {
    let run = started("chrome_json", &[]);
    run.ends_with(2);
    shows(&run.text, &["usage: chrome_json FILE"]);
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let run = started("chrome_json", &[other]);
    run.ends_with(1);
    shows(&run.text, &[other, "no trace of gopark's"]);
}

#[test]
fn trace_file() {
    let path = |end| std::env::temp_dir().join(format!("gopark-{}.{end}", std::process::id()));
    let (file, json) = (path("trace"), path("json"));
    let text = |path: &std::path::Path| path.to_str().expect("a path of text").to_owned();
    let run = started("trace_file", &[&text(&file), &text(&json)]);
    assert!(run.passed, "{}", run.text);
    shows(&run.text, &["the sum of the squares is 338350", "events, 0 lost"]);
    let bytes = std::fs::read(&file).expect("the trace");
    assert!(bytes.starts_with(b"go 1.26 trace\0\0\0"));
    let shown = std::fs::read_to_string(&json).expect("the other");
    for name in ["running", "chan send", "sleep", "square", "pipeline", "syscall"] {
        shows(&shown, &[&format!("\"name\":\"{name}\"")]);
    }
    let again = started("chrome_json", &[&text(&file)]);
    assert!(again.passed && again.text == shown, "{}", again.text);
    match crate::toolchain::find() {
        Ok(go) => {
            let mut tool = std::process::Command::new(go);
            tool.args(["tool", "trace", "-d=parsed"]).arg(&file).env("GOTOOLCHAIN", "local");
            let done = tool.output().expect("go runs");
            assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
        }
        Err(why) => println!("SKIPPED: Go cannot be had, so it reads no trace: {why}"),
    }
    let _ = (std::fs::remove_file(file), std::fs::remove_file(json));
}
