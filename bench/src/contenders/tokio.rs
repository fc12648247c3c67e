//! tokio: its multi-thread runtime, or with one worker `current_thread`, which
//! is what a user who wants one thread takes.

use std::future::Future;

use tokio::runtime::Builder;

use crate::sample::Sample;

/// Runs `body` as a task of a runtime with `procs` workers.
pub(crate) fn as_task(
    procs: u32,
    body: impl Future<Output = Result<Sample, String>> + Send + 'static,
) -> Result<Sample, String> {
    let mut builder = match procs {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if procs > 1 {
        builder.worker_threads(procs as usize);
    }
    // As `#[tokio::main]` has it.
    let runtime =
        builder.enable_all().build().map_err(|why| format!("tokio did not start: {why}"))?;
    let done = runtime.block_on(async { tokio::spawn(body).await });
    done.map_err(|why| format!("tokio: {why}"))?
}
