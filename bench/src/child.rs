//! One sample in this process: a warm-up pass, a timed pass, both checked.

use std::time::Instant;

use crate::cli::Job;
use crate::contenders;
use crate::sample::Sample;
use crate::status;
use crate::workload::{Answer, Body, Case, Runtime};

/// Takes the sample and prints it.
pub(crate) fn run(job: &Job) -> Result<(), String> {
    let sample = measure(job)?.with_notes().with(Sample::PEAK, status::kib(status::PEAK)?);
    println!("{sample}");
    Ok(())
}

fn measure(job: &Job) -> Result<Sample, String> {
    let Job { case, contender, .. } = job;
    let body = case.body(contender.runtime).ok_or_else(|| missing(job))?;
    let passes = Passes { case, sizes: [job.warm, job.size] };
    match (contender.runtime, body) {
        (Runtime::Gopark, Body::Plain(body)) => {
            contenders::gopark::start(contender.mode, case.procs)?;
            contenders::gopark::as_first_task(move || passes.time(body))
        }
        (Runtime::Gopark, Body::Measured(body)) => {
            contenders::gopark::start(contender.mode, case.procs)?;
            body(job.warm, job.size)
        }
        (Runtime::Gopark, Body::Itself(body)) => body(contender.mode, job.warm, job.size),
        (Runtime::Tokio, Body::Future(body)) => {
            contenders::tokio::as_task(case.procs, passes.time_async(*body))
        }
        (Runtime::May, Body::Plain(body)) => {
            contenders::may::as_task(case.procs, move || passes.time(body))
        }
        (Runtime::Crossbeam, Body::Plain(body)) => passes.time(body),
        _ => Err(missing(job)),
    }
}

fn missing(job: &Job) -> String {
    format!("{} has no {} in this program", job.contender.name(), job.case.name)
}

/// The warm-up and the timed pass.
struct Passes {
    case: &'static Case,
    sizes: [u64; 2],
}

impl Passes {
    fn time(&self, body: impl Fn(u64) -> u64) -> Result<Sample, String> {
        let mut elapsed = 0;
        for size in self.sizes {
            let start = Instant::now();
            let got = body(size);
            elapsed = start.elapsed().as_nanos();
            self.check(size, got)?;
        }
        Ok(Sample::default().with(Sample::ELAPSED, elapsed as f64))
    }

    async fn time_async(self, body: fn(u64) -> Answer) -> Result<Sample, String> {
        let mut elapsed = 0;
        for size in self.sizes {
            let start = Instant::now();
            let got = body(size).await;
            elapsed = start.elapsed().as_nanos();
            self.check(size, got)?;
        }
        Ok(Sample::default().with(Sample::ELAPSED, elapsed as f64))
    }

    fn check(&self, size: u64, got: u64) -> Result<(), String> {
        let want = (self.case.want)(size);
        if got == want {
            return Ok(());
        }
        let name = self.case.name;
        Err(format!("{name} at size {size}: result {got}, expected {want}"))
    }
}
