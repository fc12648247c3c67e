//! What is written when something goes wrong, and what nobody in the program asks for.

use super::reader::{GO_CREATE, LOG, Trace};
use super::start;
use crate::child::{Child, alone, here, inside};
use gopark::trace::{self, FlightRecorder};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A folder of the test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("gopark-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn files(&self) -> Vec<PathBuf> {
        fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// The one there is.
    #[track_caller]
    fn file(&self) -> PathBuf {
        let files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        files.into_iter().next().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read(path: &Path) -> Trace {
    Trace::read(&fs::read(path).unwrap())
}

fn panics(of: &'static str) {
    gopark::go(move || {
        trace::log("oven", of);
        panic!("{of}");
    })
    .join()
    .unwrap_err();
}

#[test]
fn the_first_panic_is_written() {
    alone(here!(), &[], || {
        start(2, false);
        let folder = Folder::new("panics");
        let recorder = FlightRecorder::start(Duration::from_secs(60)).unwrap();
        panics("nobody has asked for it yet");
        assert!(folder.files().is_empty());
        recorder.write_on_failure(&folder.0);
        panics("too hot");
        let file = folder.file();
        assert!(file.to_str().unwrap().ends_with(&format!("-{}-panic.trace", std::process::id())));
        let first = read(&file);
        assert_eq!(first.said(LOG, "oven").count(), 2);
        panics("too cold");
        assert_eq!(read(&folder.file()).events.len(), first.events.len());
        fs::remove_file(file).unwrap();
        // Another folder is another beginning.
        recorder.write_on_failure(&folder.0);
        // On a stack that has no room for it.
        let small = gopark::Builder::new().stack_limit(0);
        small.go(|| panic!("too small")).unwrap().join().unwrap_err();
        assert_eq!(read(&folder.file()).said(LOG, "oven").count(), 3);
        drop(recorder);
        fs::remove_file(folder.file()).unwrap();
        panics("nobody listens any more");
        assert!(folder.files().is_empty());
    });
}

/// Whoever only looks for leaks may do so when it is too late to record.
#[test]
fn a_leak_that_is_found_is_written() {
    alone(here!(), &[], || {
        start(2, false);
        let folder = Folder::new("found");
        let recorder = FlightRecorder::start(Duration::from_secs(60)).unwrap();
        recorder.write_on_failure(&folder.0);
        let find = || leakcheck::find(&leakcheck::Filter::new());
        gopark::go(|| ()).join().unwrap();
        find().unwrap();
        assert!(folder.files().is_empty());
        let (tx, rx) = gopark::chan::rendezvous();
        gopark::go(move || tx.send(7));
        let leaks = find().unwrap_err();
        let file = folder.file();
        assert!(file.to_str().unwrap().ends_with("-leak.trace"), "{}", file.display());
        assert_eq!(read(&file).count(GO_CREATE), 2);
        leaks.reap();
        drop(rx);
    });
}

/// The writer of a trace panics while it keeps others from theirs.
#[test]
fn a_panic_of_the_writer_does_not_wait_for_itself() {
    alone(here!(), &[], || {
        struct Broken;
        impl std::io::Write for Broken {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                panic!("a broken writer");
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let folder = Folder::new("writer");
        let recorder = FlightRecorder::start(Duration::from_secs(60)).unwrap();
        recorder.write_on_failure(&folder.0);
        trace::start(Broken).unwrap();
        assert!(trace::stop().unwrap_err().to_string().contains("panicked"));
        assert!(folder.files().is_empty());
        panics("afterwards");
        read(&folder.file());
    });
}

#[test]
fn the_environment_asks_for_a_trace_of_the_whole_run() {
    if inside(here!()) {
        gopark::go(|| trace::log("whole", "run")).join().unwrap();
        return;
    }
    let folder = Folder::new("run");
    let ended = Child::new(here!()).env("GOPARK_TRACE", folder.0.join("of-%p.trace")).run();
    ended.passed(here!());
    assert!(!ended.stderr.contains("warning"), "{}", ended.stderr);
    let file = folder.file();
    assert!(!file.to_str().unwrap().contains('%'), "{}", file.display());
    let trace = read(&file);
    assert_eq!(trace.said(LOG, "whole").count(), 1);
    assert_eq!(trace.count(GO_CREATE), 1);
}

/// What starts the runtime may be the program's own wish for a trace, or for a recorder.
#[test]
fn the_environment_comes_first() {
    if inside(here!()) {
        let kind = match std::env::var_os("GOPARK_TRACE") {
            Some(_) => trace::start(std::io::sink()).unwrap_err().kind(),
            None => FlightRecorder::start(Duration::from_secs(1)).unwrap_err().kind(),
        };
        assert_eq!(kind, std::io::ErrorKind::AlreadyExists);
        return;
    }
    let folder = Folder::new("first");
    Child::new(here!()).env("GOPARK_TRACE", folder.0.join("trace")).run().passed(here!());
    read(&folder.file());
    Child::new(here!()).env("GOPARK_DEBUG", "flightrecorder=60").run().passed(here!());
}

#[test]
fn a_file_that_cannot_be_is_a_warning() {
    if inside(here!()) {
        assert_eq!(gopark::go(|| 7).join().unwrap(), 7);
        return;
    }
    let ended = Child::new(here!()).env("GOPARK_TRACE", "/nowhere/at/all").run();
    ended.passed(here!());
    let warning = "gopark: warning: GOPARK_TRACE=/nowhere/at/all: ";
    assert_eq!(ended.stderr.matches(warning).count(), 1, "{}", ended.stderr);
    // One that can be opened, and takes nothing.
    let ended = Child::new(here!()).env("GOPARK_TRACE", "/dev/full").run();
    ended.passed(here!());
    let warning = "gopark: warning: GOPARK_TRACE: No space left on device";
    assert_eq!(ended.stderr.matches(warning).count(), 1, "{}", ended.stderr);
}

#[test]
fn the_environment_asks_for_a_recorder() {
    if inside(here!()) {
        panics("too hot");
        println!("the file is {:?}", Folder(std::env::temp_dir()).file());
        return;
    }
    let folder = Folder::new("recorder");
    let child = Child::new(here!()).env("GOPARK_DEBUG", "flightrecorder=60");
    let ended = child.env("TMPDIR", &folder.0).run();
    ended.passed(here!());
    let line = "gopark: what came before the panic is in ";
    assert_eq!(ended.stderr.matches(line).count(), 1, "{}", ended.stderr);
    assert!(ended.stdout.contains("-panic.trace"), "{}", ended.stdout);
}
