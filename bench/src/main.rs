//! The same workloads in gopark, Go, tokio, may and on plain threads, side by
//! side on this machine: see `README.md` beside this crate.
//!
//! The bench runs every sample in a process of its own. The parent (`run`)
//! decides who is next and starts either the Go program or itself with
//! `--child` (`child`); a child prints one line (`sample`) that the parent
//! turns into the rows of a report.

#![deny(unsafe_code)]

mod child;
mod cli;
mod contenders;
#[expect(unsafe_code, reason = "std has no such clock")]
mod cpu;
mod go;
mod go_toolchain;
mod goals;
mod json;
mod machine;
mod report;
mod run;
mod sample;
mod stats;
mod status;
mod workload;
mod workloads;

use std::process::ExitCode;

use cli::Command;

fn main() -> ExitCode {
    let outcome = match cli::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            println!("{}", cli::HELP);
            Ok(ExitCode::SUCCESS)
        }
        Ok(Command::List) => {
            print!("{}", report::list());
            Ok(ExitCode::SUCCESS)
        }
        Ok(Command::Child(job)) => child::run(&job).map(|()| ExitCode::SUCCESS),
        Ok(Command::Hold(address, count)) => {
            workloads::echo::holder(&address, &count).map(|()| ExitCode::SUCCESS)
        }
        Ok(Command::Bench(plan)) => bench(&plan),
        Err(why) => {
            eprintln!("gopark-bench: {why}");
            return ExitCode::from(2);
        }
    };
    outcome.unwrap_or_else(|why| {
        eprintln!("gopark-bench: {why}");
        ExitCode::FAILURE
    })
}

fn bench(plan: &cli::Plan) -> Result<ExitCode, String> {
    if let Some(path) = &plan.json {
        json::check_writable(path)?;
    }
    let go = if plan.cases.iter().any(|case| case.has_go()) {
        go_toolchain::prepare()
    } else {
        Err("no chosen workload exists in Go".to_owned())
    };
    let machine = machine::describe(plan.quick, go.is_ok());
    let results = run::all(plan, &go);
    let report = report::Report::new(machine, &results, &go);
    print!("{}", report.table());
    if let Some(path) = &plan.json {
        json::write(path, &report)?;
    }
    Ok(if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
