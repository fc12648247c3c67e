//! Go's own tool reads what we write. It comes from PyPI; where it cannot be had, the tests say
//! so and pass.

use crate::{client, parked, toolchain, waits};
use gopark::chan;
use std::path::{Path, PathBuf};
use std::process::Command;

mod trace;

/// The `go` command; says why there is none.
fn go() -> Option<PathBuf> {
    let go = toolchain::find();
    if let Err(why) = &go {
        println!("SKIPPED: Go cannot be had, so its tools read nothing here: {why}");
    }
    go.ok()
}

#[track_caller]
pub(crate) fn pprof(go: &Path, how: &[&str], what: &str) -> String {
    let mut command = Command::new(go);
    command.args(["tool", "pprof"]).args(how).arg(what);
    command.env("GOTOOLCHAIN", "local").env("GOPROXY", "off");
    command.env_remove("GOFLAGS").env("GOWORK", "off").env("CGO_ENABLED", "0");
    command.env("PPROF_TMPDIR", std::env::temp_dir());
    toolchain::succeed(&mut command, "go tool pprof").unwrap_or_else(|why| panic!("{why}"))
}

#[inline(never)]
fn outer(rx: &chan::Receiver<u8>) {
    waits(rx);
    std::hint::black_box(());
}

struct Oven<T>(T);

/// Such a method's name begins with an angle bracket: `<Oven<T> as Device>::heat`.
trait Device {
    fn heat(&self);
}

impl Device for Oven<chan::Receiver<u8>> {
    #[inline(never)]
    fn heat(&self) {
        outer(&self.0);
        std::hint::black_box(());
    }
}

/// The lines of a table that end with the function's name, as numbers in front of it.
pub(crate) fn rows<'a>(text: &'a str, function: &str) -> Vec<Vec<&'a str>> {
    let lines = text.lines().filter(|line| line.ends_with(function));
    lines.map(|line| line.split_whitespace().collect()).collect()
}

#[test]
fn pprof_prints_our_functions_and_counts() {
    let Some(go) = go() else { return };
    let (tx, rx) = chan::rendezvous();
    for n in 0..7 {
        let oven = Oven(rx.clone());
        let task = gopark::Builder::new();
        let task = if n < 3 { task.name("one \"of\" three").label("n", "ü") } else { task };
        task.go(move || oven.heat()).unwrap();
    }
    parked("::waits", 7);
    let endpoint = gopark::debug::serve("127.0.0.1:0").unwrap();
    let url = |path| format!("http://{}{path}", endpoint.local_addr());
    let goroutine = url("/debug/pprof/goroutine");

    let top = pprof(&go, &["-top"], &goroutine);
    let inner = rows(&top, "::waits");
    assert_eq!(inner.len(), 1, "{top}");
    // How many are in it, and how many in what it calls.
    assert_eq!((inner[0][0], inner[0][3]), ("7", "7"), "{top}");
    let outer = rows(&top, "go::outer");
    assert_eq!((outer[0][0], outer[0][3]), ("0", "7"), "{top}");
    let method = rows(&top, " as live::go::Device>::heat");
    assert_eq!((method[0][0], method[0][3]), ("0", "7"), "{top}");
    assert!(top.contains("Type: goroutine\n"), "{top}");

    let traces = pprof(&go, &["-traces"], &goroutine);
    let words = traces.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(" n: ü name: one \"of\" three 3 "), "{traces}");
    let counts: Vec<_> = rows(&traces, "::waits").iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(counts, ["4", "3"], "{traces}");
    let lines: Vec<_> = traces.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| line.ends_with("::waits")).unwrap();
    assert!(lines[at + 1].ends_with("go::outer"), "{traces}");
    assert!(!traces.contains("gopark::debug"), "{traces}");

    // The file that was read is the one that is served.
    let file = std::env::temp_dir().join(format!("gopark-{}.pb.gz", std::process::id()));
    std::fs::write(&file, client::get(endpoint.local_addr(), "/debug/pprof/goroutine").body)
        .unwrap();
    let lines = pprof(&go, &["-list=waits"], &file.display().to_string());
    std::fs::remove_file(&file).unwrap();
    assert!(lines.contains("black_box(rx.recv().is_ok())"), "{lines}");

    let threads = pprof(&go, &["-raw"], &url("/debug/pprof/threadcreate"));
    assert!(threads.contains("threadcreate/count"), "{threads}");
    endpoint.close();
    drop(tx);
}
