//! The command line.

use std::path::PathBuf;

use crate::workload::{Case, Contender};
use crate::workloads;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Runs the same workloads in gopark (default and migrating mode), Go, tokio, may
and on threads, interleaved, and prints medians and ratios beside the goals.

usage: cargo run --release -p gopark-bench -- [OPTIONS]

  --quick        fewer samples and smaller sizes, all of it in some five minutes
  --only NAME    only the workload, case or row NAME (may be given repeatedly)
  --json FILE    write the rows to FILE as well
  --list         name the workloads and their rows, run nothing
  --help         this text

Exit status: 0, 1 when a contender failed, 2 for a wrong command line.
A goal that is not met is reported and is no failure.";

/// What the command line asks for.
pub(crate) enum Command {
    /// Print [`HELP`].
    Help,
    /// Name everything there is.
    List,
    /// Take one sample in this process.
    Child(Job),
    /// Hold idle connections to an address, so many.
    Hold(String, String),
    /// Run the bench.
    Bench(Plan),
}

/// One sample: `--child CASE --contender NAME --size N --warm N`.
pub(crate) struct Job {
    /// What to do.
    pub(crate) case: &'static Case,
    /// In whose runtime.
    pub(crate) contender: Contender,
    /// How much of it, on the clock.
    pub(crate) size: u64,
    /// How much of it before that.
    pub(crate) warm: u64,
}

/// A whole run.
pub(crate) struct Plan {
    /// In the order of [`workloads::ALL`].
    pub(crate) cases: Vec<&'static Case>,
    /// Whether sizes and the number of samples are small.
    pub(crate) quick: bool,
    /// Where the rows go besides standard output.
    pub(crate) json: Option<PathBuf>,
}

/// Reads the arguments behind the program's name.
pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut args = args;
    let mut only = Vec::new();
    let mut quick = false;
    let mut json = None;
    while let Some(arg) = args.next() {
        let mut value = |what| args.next().ok_or_else(|| format!("{arg} needs {what}"));
        match arg.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--list" => return Ok(Command::List),
            "--child" => {
                let case = value("a case")?;
                return child(&case, args).map(Command::Child);
            }
            "--hold" => {
                return Ok(Command::Hold(value("an address")?, value("how many")?));
            }
            "--quick" => quick = true,
            "--only" => only.push(value("the name of a workload")?),
            "--json" => json = Some(PathBuf::from(value("a file")?)),
            _ => return Err(format!("no option {arg}; see --help")),
        }
    }
    let cases = choose(&only)?;
    Ok(Command::Bench(Plan { cases, quick, json }))
}

/// The cases that the names of `--only` stand for; all if there are none.
fn choose(only: &[String]) -> Result<Vec<&'static Case>, String> {
    if let Some(unknown) = only.iter().find(|name| workloads::matching(name).is_empty()) {
        return Err(format!(
            "no workload or row named {unknown}; there are: {}",
            workloads::names().join(", ")
        ));
    }
    let mut cases = workloads::cases();
    if !only.is_empty() {
        let chosen: Vec<_> = only.iter().flat_map(|name| workloads::matching(name)).collect();
        cases.retain(|case| chosen.iter().any(|one| one.name == case.name));
    }
    Ok(cases)
}

fn child(case: &str, mut args: impl Iterator<Item = String>) -> Result<Job, String> {
    let found = workloads::cases().into_iter().find(|one| one.name == case);
    let case = found.ok_or_else(|| format!("no case named {case}"))?;
    let (mut contender, mut size, mut warm) = (None, None, None);
    while let Some(arg) = args.next() {
        let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|why| format!("{arg} {value}: {why}"));
        match arg.as_str() {
            "--contender" => contender = Contender::named(&value),
            "--size" => size = Some(number()?),
            "--warm" => warm = Some(number()?),
            _ => return Err(format!("--child has no option {arg}")),
        }
    }
    Ok(Job {
        case,
        contender: contender.ok_or("--child needs a known --contender")?,
        size: size.ok_or("--child needs a --size")?,
        warm: warm.ok_or("--child needs a --warm")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn an_unknown_name_lists_the_valid_ones() {
        let why = parsed("--only nonsense").err().expect("refused");
        assert!(why.contains("nonsense") && why.contains("ping_pong_2p"), "{why}");
    }

    #[test]
    fn only_takes_families_cases_and_rows() {
        for (name, cases) in [("ping_pong", 2), ("ping_pong_1p", 1), ("skynet_memory", 1)] {
            let Ok(Command::Bench(plan)) = parsed(&format!("--only {name}")) else {
                panic!("{name} was refused");
            };
            assert_eq!(plan.cases.len(), cases, "{name}");
        }
    }

    #[test]
    fn a_child_needs_all_of_its_options() {
        assert!(parsed("--child fib --contender go --size 25").is_err());
        assert!(parsed("--child fib --contender go --size 25 --warm 20").is_ok());
    }
}
