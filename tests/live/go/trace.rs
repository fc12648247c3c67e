//! Go's own tool opens traces: it reads them to their end, and its pages show our functions.

use crate::child::{alone, here};
use crate::{client, toolchain};
use gopark::trace::{self, FlightRecorder};
use loads::Load;
use pipe::Pipe;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

#[path = "../../it/trace/loads.rs"]
mod loads;
#[path = "../../it/trace/pipe.rs"]
mod pipe;

/// The file of a trace of all loads.
fn everything() -> Vec<u8> {
    let (tx, rx) = channel();
    trace::start(Pipe(tx)).unwrap();
    let all = || {
        loads::pipeline();
        loads::patterns();
        loads::echo();
        loads::hogs();
        loads::calls();
        loads::births(500);
        loads::words();
    };
    gopark::go(all).join().unwrap();
    assert_eq!(trace::stop().unwrap().lost, 0);
    rx.into_iter().flatten().collect()
}

/// A file that goes with the test.
struct File(PathBuf);

impl File {
    fn new(name: &str, bytes: &[u8]) -> File {
        let path = std::env::temp_dir().join(format!("gopark-{}.{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// One of Go's tools, with nothing of this machine's settings, and which fetches nothing.
fn tool(go: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(go);
    command.arg("tool").args(args).env("GOTOOLCHAIN", "local").env("GOPROXY", "off");
    command.env_remove("GOFLAGS").env("GOWORK", "off").env("CGO_ENABLED", "0");
    command
}

/// The `go` command; its tools are built before the time runs in which a child has to end.
fn go() -> Option<PathBuf> {
    let go = super::go()?;
    for name in ["trace", "pprof"] {
        toolchain::succeed(&mut tool(&go, &["-n", name]), name).unwrap();
    }
    Some(go)
}

/// What `go tool trace -d=parsed` says of the file.
#[track_caller]
fn parsed(go: &Path, bytes: &[u8]) -> String {
    let file = File::new("trace", bytes);
    let mut command = tool(go, &["trace", "-d=parsed"]);
    let done = command.arg(&file.0).output().expect("go runs");
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && complaint.is_empty(), "{}\n{complaint}", done.status);
    String::from_utf8(done.stdout).expect("text")
}

#[test]
fn go_reads_everything() {
    let Some(go) = go() else { return };
    alone(here!(), &[("GOPARK_MAXPROCS", "2")], || {
        let text = parsed(&go, &everything());
        for part in ["network", "Reason=\"chan send\"", "TaskBegin", "RegionEnd", "Log", "Syscall"]
        {
            assert!(text.contains(part), "no {part:?}");
        }
        let births = text.matches("NotExist->Runnable").count();
        assert!(births > 500, "{births}");
    });
}

#[test]
#[expect(unsafe_code, reason = "the promise of migrating mode")]
fn go_reads_a_recording_of_migrating_tasks() {
    let Some(go) = go() else { return };
    alone(here!(), &[], || {
        let config = gopark::runtime::Config::new().maxprocs(2);
        // SAFETY: no frame of these loads keeps a thread-local across a park.
        unsafe { config.migrating() }.start().unwrap();
        let recorder = FlightRecorder::start(Duration::from_secs(60)).unwrap();
        let load = Load::new();
        // Each copy ends a generation.
        for _ in 0..3 {
            loads::births(100);
            recorder.write_to(io::sink()).unwrap();
        }
        let mut file = Vec::new();
        recorder.write_to(&mut file).unwrap();
        load.stop();
        let text = parsed(&go, &file);
        assert!(text.matches(" Sync ").count() >= 4, "all generations");
    });
}

/// `go tool trace`, which serves its pages.
struct Viewer {
    process: Child,
    address: SocketAddr,
}

impl Viewer {
    fn new(go: &Path, file: &Path) -> Viewer {
        // The tool itself: `go tool` would be its parent, and leave it behind.
        let path = toolchain::succeed(&mut tool(go, &["-n", "trace"]), "go tool -n trace").unwrap();
        let mut command = Command::new(path.trim());
        command.arg("-http=127.0.0.1:0").arg(file).stderr(Stdio::piped());
        // It wants to show its first page.
        command.env("BROWSER", "true").env("PATH", "");
        let mut process = command.spawn().expect("the tool runs");
        let mut lines = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let mut said = String::new();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it has ended: {said}")).unwrap();
            said.push_str(&line);
            if let Some((_, address)) = line.split_once("listening on http://") {
                break address.parse().expect("an address");
            }
        };
        // It goes on to say things.
        std::thread::spawn(move || lines.for_each(drop));
        Viewer { process, address }
    }

    #[track_caller]
    fn get(&self, path: &str) -> Vec<u8> {
        // By 1.1 it would come in chunks.
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        let answer = client::send(self.address, request.as_bytes());
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.body
    }

    #[track_caller]
    fn page(&self, path: &str) -> String {
        String::from_utf8(self.get(path)).expect("text")
    }

    /// The functions of a profile, with how long they have waited; the page is that profile,
    /// drawn.
    #[track_caller]
    fn profile(&self, go: &Path, path: &str) -> String {
        let profile = File::new("pprof", &self.get(&format!("{path}?raw=1")));
        let mut pprof = tool(go, &["pprof", "-top", "-nodefraction=0"]);
        toolchain::succeed(pprof.arg(&profile.0), path).unwrap()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[track_caller]
fn shows(page: &str, functions: &[&str]) {
    for function in functions {
        assert!(page.contains(function), "no {function:?}:\n{page}");
    }
}

/// What an example leaves, when `GOPARK_TRACE` asks for it.
fn trace_of(example: &str) -> File {
    let binary = std::env::current_exe().expect("the path of this binary");
    // target/debug/deps/live-0123
    let target = binary.ancestors().nth(3).expect("a target folder");
    let file = File::new(&format!("{example}.trace"), b"");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--package", "gopark-examples", "--example", example]);
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    cargo.env("CARGO_TARGET_DIR", target).env("GOPARK_TRACE", &file.0);
    toolchain::succeed(&mut cargo, example).unwrap();
    file
}

#[test]
fn its_pages_show_the_functions_of_examples() {
    let Some(go) = go() else { return };
    let file = trace_of("patterns");
    parsed(&go, &std::fs::read(&file.0).unwrap());
    let viewer = Viewer::new(&go, &file.0);
    shows(&viewer.page("/goroutines"), &["patterns::pipeline", "patterns::fan_in"]);
    shows(&viewer.profile(&go, "/block"), &["patterns::pipeline", "patterns::fan_in"]);
    drop(viewer);

    let file = trace_of("echo_server");
    parsed(&go, &std::fs::read(&file.0).unwrap());
    let viewer = Viewer::new(&go, &file.0);
    shows(&viewer.page("/goroutines"), &["echo_server::Server::accept"]);
    shows(&viewer.profile(&go, "/io"), &["echo_server::"]);
    shows(&viewer.profile(&go, "/sched"), &["echo_server::"]);
}

#[test]
fn its_pages_show_our_functions() {
    let Some(go) = go() else { return };
    alone(here!(), &[("GOPARK_MAXPROCS", "2")], || {
        let file = File::new("trace", &everything());
        let viewer = Viewer::new(&go, &file.0);
        let all = viewer.page("/goroutines");
        let closures = ["pipeline", "patterns", "echo", "hogs", "calls", "births", "words"];
        let closures = closures.map(|name| format!("loads::{name}::{{{{closure}}}}"));
        let closures = closures.each_ref().map(String::as_str);
        shows(&all, &closures);
        let one = all.split('"').find(|part| part.starts_with("/goroutine?name=")).expect("a link");
        shows(&viewer.page(one), &["Goroutine start location", "Sched wait time"]);
        shows(&viewer.page("/usertasks"), &["order", "part"]);
        shows(&viewer.page("/userregions"), &["bake", "knead"]);
        shows(&viewer.profile(&go, "/io"), &["loads::echo"]);
        shows(&viewer.profile(&go, "/block"), &["loads::pipeline", "loads::patterns"]);
        shows(&viewer.profile(&go, "/syscall"), &["loads::calls"]);
        // By who made them ready; the first start of a task does not count there.
        shows(&viewer.profile(&go, "/sched"), &["loads::pipeline", "loads::hogs"]);
        shows(&viewer.page("/jsontrace"), &["loads::echo", "traceEvents"]);
    });
}
