//! What a workload is: plain data, so that a new one is one small file.
//!
//! A *family* is a file in `workloads/`. It has one or more *cases*: one thing
//! that a child process does, at a number of processors. A case gives one or
//! more *rows*: figures in the report. A case lists a *body* for every runtime
//! that has the workload.

use std::future::Future;
use std::pin::Pin;

use crate::sample::Sample;

/// One file of `workloads/`.
pub(crate) struct Family {
    /// Also the name of the file.
    pub(crate) name: &'static str,
    /// One line for `--list`.
    pub(crate) about: &'static str,
    /// At least one.
    pub(crate) cases: &'static [Case],
}

/// One thing that a child process does.
pub(crate) struct Case {
    /// Unique among all cases; the Go program knows it by this name.
    pub(crate) name: &'static str,
    /// Processors, worker threads or `GOMAXPROCS`.
    pub(crate) procs: u32,
    /// How much of it.
    pub(crate) sizes: Sizes,
    /// How many operations a size has; figures per operation divide by it.
    pub(crate) units: fn(u64) -> u64,
    /// The one right result for a size.
    pub(crate) want: fn(u64) -> u64,
    /// Who has it, and how.
    pub(crate) bodies: &'static [(Runtime, Body)],
    /// What is reported.
    pub(crate) rows: &'static [Row],
}

impl Case {
    /// The body of `runtime`, if the workload exists there.
    pub(crate) fn body(&self, runtime: Runtime) -> Option<&'static Body> {
        let found = self.bodies.iter().find(|(of, _)| *of == runtime);
        found.map(|(_, body)| body)
    }

    /// Whether the Go program has it.
    pub(crate) fn has_go(&self) -> bool {
        self.body(Runtime::Go).is_some()
    }
}

/// The sizes of a case; what a size means is the body's business.
pub(crate) struct Sizes {
    /// Of a full run.
    pub(crate) full: u64,
    /// Under `--quick`.
    pub(crate) quick: u64,
    /// Of the pass before the clock starts, the same for every contender.
    pub(crate) warm: u64,
}

/// Whose scheduler runs a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// This workspace.
    Gopark,
    /// `bench/go/`.
    Go,
    /// tokio: one worker means its `current_thread` runtime.
    Tokio,
    /// may.
    May,
    /// std's threads with `crossbeam-channel`.
    Crossbeam,
}

/// How gopark resumes a started task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// On the worker it started on.
    Default,
    /// On any worker.
    Migrating,
}

/// One who takes part in a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contender {
    /// Whose scheduler.
    pub(crate) runtime: Runtime,
    /// Only gopark has another than `Default`.
    pub(crate) mode: Mode,
}

impl Contender {
    /// Everyone, in the order of the first round of samples.
    pub(crate) const ALL: [Contender; 6] = [
        Contender::of(Runtime::Gopark, Mode::Default),
        Contender::of(Runtime::Go, Mode::Default),
        Contender::of(Runtime::Gopark, Mode::Migrating),
        Contender::of(Runtime::Tokio, Mode::Default),
        Contender::of(Runtime::May, Mode::Default),
        Contender::of(Runtime::Crossbeam, Mode::Default),
    ];

    const fn of(runtime: Runtime, mode: Mode) -> Contender {
        Contender { runtime, mode }
    }

    /// The name in reports and on a child's command line.
    pub(crate) fn name(self) -> &'static str {
        match (self.runtime, self.mode) {
            (Runtime::Gopark, Mode::Default) => "gopark-default",
            (Runtime::Gopark, Mode::Migrating) => "gopark-migrating",
            (Runtime::Go, _) => "go",
            (Runtime::Tokio, _) => "tokio",
            (Runtime::May, _) => "may",
            (Runtime::Crossbeam, _) => "crossbeam",
        }
    }

    /// The contender of that name.
    pub(crate) fn named(name: &str) -> Option<Contender> {
        Contender::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether it is compared as a peer: neither gopark nor Go.
    pub(crate) fn is_peer(self) -> bool {
        !matches!(self.runtime, Runtime::Gopark | Runtime::Go)
    }
}

/// The result of an asynchronous body.
pub(crate) type Answer = Pin<Box<dyn Future<Output = u64> + Send>>;

/// How a runtime does a case. All but `Measured` and `Itself` are timed by `child`, as a
/// task of the runtime, and answer with the result for the size.
pub(crate) enum Body {
    /// A blocking function.
    Plain(fn(u64) -> u64),
    /// A future.
    Future(fn(u64) -> Answer),
    /// Takes the warm-up size and the size, and times and checks everything
    /// itself, on the main thread, with the runtime started.
    Measured(fn(u64, u64) -> Result<Sample, String>),
    /// As `Measured`, and starts the runtime too.
    Itself(fn(Mode, u64, u64) -> Result<Sample, String>),
    /// In the Go program, under the name of the case.
    InGo,
}

/// One figure of a case.
pub(crate) struct Row {
    /// Unique among all rows.
    pub(crate) name: &'static str,
    /// Which value of the sample.
    pub(crate) value: &'static str,
    /// What it is divided by.
    pub(crate) divide: Divide,
    /// What is left then.
    pub(crate) unit: &'static str,
}

impl Row {
    /// The plain case: nanoseconds for each operation.
    pub(crate) const fn ns_per_unit(name: &'static str) -> Row {
        Row { name, value: Sample::ELAPSED, divide: Divide::Units(1.0), unit: "ns" }
    }

    /// This row's figure in a sample of `units` operations.
    pub(crate) fn figure(&self, sample: &Sample, units: u64) -> Result<f64, String> {
        let value = sample.get(self.value)?;
        Ok(match self.divide {
            Divide::Units(each) => value / units as f64 / each,
            Divide::By(divisor) => value / divisor,
        })
    }
}

/// From a sample's value to a row's unit.
pub(crate) enum Divide {
    /// By the number of operations, and by a constant.
    Units(f64),
    /// By a constant.
    By(f64),
}

/// `want` of the workloads that add up the numbers below their size.
pub(crate) fn sum_below(size: u64) -> u64 {
    size * (size - 1) / 2
}

/// `units` and `want` of the workloads that count.
pub(crate) fn identity(size: u64) -> u64 {
    size
}
