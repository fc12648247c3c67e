//! Running tests of this binary in a process of their own.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Set in the process that [`alone`] starts.
const ALONE: &str = "GOPARK_TEST_ALONE";

/// Variables of others that change what is printed, or how tests run.
const OTHERS: [&str; 7] = [
    "RUST_TEST_THREADS",
    "RUST_TEST_NOCAPTURE",
    "NO_COLOR",
    "CLICOLOR_FORCE",
    "GITHUB_ACTIONS",
    "GITHUB_WORKSPACE",
    ALONE,
];

/// What a run of a program said.
pub(crate) struct Run {
    pub(crate) passed: bool,
    /// None: a signal ended it.
    pub(crate) code: Option<i32>,
    /// Both outputs, standard output first.
    pub(crate) text: String,
}

impl Run {
    /// Runs this test binary, ignored tests included, with only the tests that
    /// the arguments select.
    pub(crate) fn of(args: &[&str], variables: &[(&str, &str)]) -> Run {
        Run::from(Run::command(args, variables).output().expect("this binary runs"))
    }

    /// What [`Run::of`] runs.
    pub(crate) fn command(args: &[&str], variables: &[(&str, &str)]) -> Command {
        let binary = env::current_exe().expect("the path of this binary");
        let mut command = Command::new(binary);
        // What nextest or an outer run has set is not meant for the inner one.
        let ours = env::vars_os().map(|(name, _)| name);
        let ours = ours.filter(|name| name.to_string_lossy().starts_with("LEAKCHECK_"));
        for inherited in ours.chain(OTHERS.map(Into::into)) {
            command.env_remove(inherited);
        }
        command.env("RUST_BACKTRACE", "0");
        command.args(args).envs(variables.iter().copied());
        command
    }

    /// Runs one ignored test.
    pub(crate) fn fixture(name: &str) -> Run {
        Run::fixtures(&[name], &[], &[])
    }

    /// Runs these ignored tests, with more arguments of the program.
    pub(crate) fn fixtures(names: &[&str], variables: &[(&str, &str)], args: &[&str]) -> Run {
        let names: Vec<String> = names.iter().map(|name| format!("fixtures::{name}")).collect();
        let mut all = vec!["--ignored", "--exact"];
        all.extend(names.iter().map(String::as_str));
        all.extend(args);
        let run = Run::of(&all, variables);
        run.must_have_run(names.len());
        run
    }

    /// Guards against a name that selects nothing, which passes.
    pub(crate) fn must_have_run(&self, tests: usize) {
        let says = format!("running {tests} test");
        assert!(self.text.contains(&says), "not {says}:\n{}", self.text);
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn ends_with(&self, code: i32) -> &Run {
        assert_eq!(self.code, Some(code), "\n{}", self.text);
        self
    }

    /// Asserts that the text contains all of these.
    #[track_caller]
    pub(crate) fn shows(&self, parts: &[&str]) -> &Run {
        for part in parts {
            assert!(self.text.contains(part), "does not say {part:?}:\n{}", self.text);
        }
        self
    }

    /// Asserts that the text contains none of these.
    #[track_caller]
    pub(crate) fn hides(&self, parts: &[&str]) -> &Run {
        for part in parts {
            assert!(!self.text.contains(part), "says {part:?}:\n{}", self.text);
        }
        self
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Run { passed: output.status.success(), code: output.status.code(), text }
    }
}

/// A run of cargo on this workspace, beside the one that built this binary.
pub(crate) struct Cargo {
    command: Command,
    /// Where this binary was built.
    target: PathBuf,
}

impl Cargo {
    pub(crate) fn new() -> Cargo {
        // target/debug/deps/leak-0123
        let binary = env::current_exe().expect("the path of this binary");
        let target = binary.ancestors().nth(3).expect("a target folder").to_owned();
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        Cargo { command, target }
    }

    /// Builds in this folder, inside of the one where this binary was built.
    pub(crate) fn target(&mut self, folder: &str) -> &mut Cargo {
        self.target.push(folder);
        self
    }

    pub(crate) fn args(&mut self, args: &[&str]) -> &mut Cargo {
        self.command.args(args);
        self
    }

    pub(crate) fn env(&mut self, key: &str, value: &str) -> &mut Cargo {
        self.command.env(key, value);
        self
    }

    pub(crate) fn run(&mut self) -> Run {
        Run::from(self.command().output().expect("cargo runs"))
    }

    /// What [`Cargo::run`] runs.
    pub(crate) fn command(&mut self) -> &mut Command {
        self.command.env("CARGO_TARGET_DIR", &self.target)
    }
}

/// Only a proof ends a check, or that nothing is left, however slow the machine is.
pub(crate) const NO_DEADLINE: (&str, &str) = ("LEAKCHECK_DEADLINE_MS", "600000");

/// Runs the body in a process of its own, where no thread of another test is
/// to be seen, [without a deadline](NO_DEADLINE). `name` is the calling test's:
/// [`here!`](crate::support::here).
#[track_caller]
pub(crate) fn alone(name: &str, body: impl FnOnce()) {
    alone_with(name, &[], body);
}

/// The same, with environment variables, a deadline among them.
#[track_caller]
pub(crate) fn alone_with(name: &str, variables: &[(&str, &str)], body: impl FnOnce()) {
    if env::var_os(ALONE).is_some() {
        // A plain test does not say that its main thread is libtest's.
        gopark::inspect::mark_harness_thread();
        return body();
    }
    let always = [NO_DEADLINE, (ALONE, "1")];
    let variables: Vec<_> = always.iter().chain(variables).copied().collect();
    let run = Run::of(&["--exact", name], &variables);
    run.must_have_run(1);
    assert!(run.passed, "{name} failed in a process of its own:\n{}", run.text);
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
