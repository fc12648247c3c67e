//! Running a test of this binary in a process of its own.

use std::env;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// Names the test that a child is to run.
const INSIDE: &str = "GOPARK_TEST_INSIDE";

/// A child that lives longer hangs.
fn limit() -> Duration {
    // For those that are told to do more than usual.
    let seconds = env::var("GOPARK_TEST_LIMIT").ok();
    Duration::from_secs(seconds.map_or(120, |text| text.parse().expect("a number of seconds")))
}

/// How a child ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A test that is to run in a process of its own.
pub(crate) struct Child {
    test: String,
    command: Command,
}

impl Child {
    /// The test's name is [`here!`](crate::child::here) in it.
    pub(crate) fn new(test: &str) -> Child {
        Child::started_by("exec \"$0\" \"$@\"", test)
    }

    /// `script` runs the program that is its `$0` with its arguments.
    pub(crate) fn started_by(script: &str, test: &str) -> Child {
        let binary = env::current_exe().expect("the path of this binary");
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .arg(binary)
            .args(["--exact", test, "--nocapture"])
            .env(INSIDE, test)
            .env("RUST_BACKTRACE", "0")
            .env_remove("RUST_TEST_THREADS")
            .env_remove("GOPARK_STACK")
            .env_remove("GOPARK_TRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // Whoever runs the tests in the background of a shell has them ignore it.
        // SAFETY: signal() may be called between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::signal(libc::SIGQUIT, libc::SIG_DFL);
                Ok(())
            })
        };
        Child { test: test.to_owned(), command }
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Child {
        self.command.env(key, value);
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(mut self) -> Ended {
        let mut process = self.command.spawn().expect("this binary runs");
        let stdout = collect(process.stdout.take());
        let stderr = collect(process.stderr.take());
        let end = Instant::now() + limit();
        // Both pipes close when the process ends.
        let (stdout, stderr) = (text(&stdout, end), text(&stderr, end));
        let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
            kill(&mut process);
            panic!("{} hangs in a process of its own", self.test);
        };
        let status = process.wait().expect("the status of a child");
        Ended { status, stdout, stderr }
    }
}

fn kill(process: &mut Process) {
    process.kill().expect("a child can be killed");
    process.wait().expect("the status of a child");
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let mut pipe = pipe.expect("a pipe was asked for");
    let (tx, rx) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        let _ = tx.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    rx
}

fn text(pipe: &Receiver<String>, end: Instant) -> Option<String> {
    pipe.recv_timeout(end.saturating_duration_since(Instant::now())).ok()
}

impl Ended {
    /// Fails unless the test ran and passed.
    #[track_caller]
    pub(crate) fn passed(&self, test: &str) {
        assert!(
            self.status.success(),
            "{test} failed in a process of its own: {}\n{}{}",
            self.status,
            self.stdout,
            self.stderr
        );
        // A name that selects nothing passes too.
        assert!(self.stdout.contains("running 1 test"), "{test} did not run:\n{}", self.stdout);
    }
}

/// Whether this process is the one that runs the test alone.
pub(crate) fn inside(test: &str) -> bool {
    env::var(INSIDE).is_ok_and(|name| name == test)
}

/// Runs the body in a process of its own, with environment variables.
#[track_caller]
pub(crate) fn alone(test: &str, variables: &[(&str, &str)], body: impl FnOnce()) {
    if inside(test) {
        return body();
    }
    let mut child = Child::new(test);
    for (key, value) in variables {
        child = child.env(key, value);
    }
    child.run().passed(test);
}

/// The name of the test that it is written in, as libtest prints it.
macro_rules! here {
    () => {{
        fn inside() {}
        let name = std::any::type_name_of_val(&inside);
        let name = name.strip_suffix("::inside").expect("a path");
        name.split_once("::").expect("a crate").1.trim_end_matches("::{{closure}}")
    }};
}
pub(crate) use here;
