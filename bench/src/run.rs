//! The parent: who runs when. Contenders take turns within every round, and
//! the round's first one changes, so that a slow minute of the machine hits
//! them all.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::cli::Plan;
use crate::sample::Sample;
use crate::stats::{Stats, short};
use crate::workload::{Case, Contender, Runtime};

/// Samples of each contender: enough for a median that three outliers on one
/// side do not move far.
const SAMPLES: usize = 9;
const QUICK_SAMPLES: usize = 3;

/// A child that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);
const QUICK_PATIENCE: Duration = Duration::from_secs(15);

/// Variables that would change a contender's settings behind the bench's back.
const CLEARED: &[&str] = &[
    "GOPARK_DEBUG",
    "GOPARK_MAXPROCS",
    "GOPARK_SLICE",
    "GOPARK_STACK",
    "GOMAXPROCS",
    "GODEBUG",
    "GOGC",
    "GOMEMLIMIT",
    "LEAKCHECK_DEADLINE_MS",
    "LEAKCHECK_SETTLE_MS",
    "TOKIO_WORKER_THREADS",
];

/// What came of a case.
pub(crate) struct Outcome {
    /// The case.
    pub(crate) case: &'static Case,
    /// Operations in each sample.
    pub(crate) units: u64,
    /// Everybody who took part.
    pub(crate) entrants: Vec<Entrant>,
}

/// A contender in a case.
pub(crate) struct Entrant {
    /// Who.
    pub(crate) contender: Contender,
    /// One for each process that ended well.
    pub(crate) samples: Vec<Sample>,
    /// Why it was taken out of the case.
    pub(crate) failure: Option<String>,
}

/// Runs the whole plan.
pub(crate) fn all(plan: &Plan, go: &Result<PathBuf, String>) -> Vec<Outcome> {
    let count = plan.cases.len();
    let numbered = plan.cases.iter().enumerate();
    let outcomes = numbered.map(|(index, case)| {
        eprintln!("bench: {}/{count} {}", index + 1, case.name);
        run(case, plan.quick, go.as_ref().ok().map(PathBuf::as_path))
    });
    outcomes.collect()
}

fn run(case: &'static Case, quick: bool, go: Option<&Path>) -> Outcome {
    let size = if quick { case.sizes.quick } else { case.sizes.full };
    let rounds = if quick { QUICK_SAMPLES } else { SAMPLES };
    let takes_part = |one: &Contender| {
        case.body(one.runtime).is_some() && (one.runtime != Runtime::Go || go.is_some())
    };
    let entrant = |contender| Entrant { contender, samples: Vec::new(), failure: None };
    let mut entrants: Vec<_> = Contender::ALL.into_iter().filter(takes_part).map(entrant).collect();
    for round in 0..rounds {
        for turn in 0..entrants.len() {
            let next = (turn + round) % entrants.len();
            let entrant = &mut entrants[next];
            if entrant.failure.is_some() {
                continue;
            }
            match sample(case, entrant.contender, size, quick, go) {
                Ok(sample) => entrant.samples.push(sample),
                Err(why) => {
                    eprintln!("bench:   {} FAILED: {why}", entrant.contender.name());
                    entrant.failure = Some(why);
                }
            }
        }
    }
    let outcome = Outcome { case, units: (case.units)(size), entrants };
    progress(&outcome);
    outcome
}

impl Outcome {
    /// What a contender reached in a row of the case.
    pub(crate) fn stats(&self, row: usize, contender: Contender) -> Option<Stats> {
        let entrant = self.entrants.iter().find(|one| one.contender == contender)?;
        if entrant.failure.is_some() {
            return None;
        }
        let figure = |sample| self.case.rows[row].figure(sample, self.units);
        let figures: Result<Vec<_>, _> = entrant.samples.iter().map(figure).collect();
        Stats::of(&figures.ok()?)
    }
}

/// One line on standard error, so that a long run shows where it is.
fn progress(outcome: &Outcome) {
    for (index, row) in outcome.case.rows.iter().enumerate() {
        let medians = outcome.entrants.iter().filter_map(|entrant| {
            let stats = outcome.stats(index, entrant.contender)?;
            Some(format!("{} {}", entrant.contender.name(), short(stats.median)))
        });
        let medians: Vec<_> = medians.collect();
        eprintln!("bench:   {} [{}]: {}", row.name, row.unit, medians.join(", "));
    }
}

/// One process, from start to its sample.
fn sample(
    case: &Case,
    contender: Contender,
    size: u64,
    quick: bool,
    go: Option<&Path>,
) -> Result<Sample, String> {
    let mut command = match (contender.runtime, go) {
        (Runtime::Go, Some(go)) => {
            let mut command = Command::new(go);
            command.arg(case.name).args(["--procs", &case.procs.to_string()]);
            command
        }
        _ => {
            let this = std::env::current_exe().map_err(|why| format!("this program: {why}"))?;
            let mut command = Command::new(this);
            command.args(["--child", case.name, "--contender", contender.name()]);
            command
        }
    };
    command.args(["--size", &size.to_string(), "--warm", &case.sizes.warm.to_string()]);
    CLEARED.iter().for_each(|name| {
        command.env_remove(name);
    });
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|why| format!("starting a process: {why}"))?;
    let output = wait(child, if quick { QUICK_PATIENCE } else { PATIENCE })?;
    Sample::find(&output)
}

/// The child's output once it has succeeded. Waits on the pipes, so that the
/// parent uses no processor meanwhile.
fn wait(mut child: Child, patience: Duration) -> Result<String, String> {
    let (sender, ended) = mpsc::channel();
    let output = reader(child.stdout.take(), sender.clone());
    let errors = reader(child.stderr.take(), sender);
    // Both readers drop their sender at the end of their pipe.
    if ended.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
        let killed = child.kill().and_then(|()| child.wait());
        killed.map_err(|why| format!("hung, and could not be ended: {why}"))?;
        return Err(format!("no result after {} s", patience.as_secs()));
    }
    let status = child.wait().map_err(|why| format!("waiting for a process: {why}"))?;
    let output = output.join().unwrap_or_default();
    if status.success() {
        return Ok(output);
    }
    let errors = errors.join().unwrap_or_default();
    // A panic's place is on its first line, its message on the second.
    let said = errors.lines().filter(|line| !line.trim().is_empty());
    let said: Vec<_> = said.take(2).collect();
    Err(format!("{status}: {}", said.join(" ")))
}

fn reader(
    pipe: Option<impl Read + Send + 'static>,
    ended: mpsc::Sender<()>,
) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        drop(ended);
        match read {
            Some(Err(why)) => format!("reading a pipe: {why}"),
            _ => String::from_utf8_lossy(&bytes).into_owned(),
        }
    })
}
