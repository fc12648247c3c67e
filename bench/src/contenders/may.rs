//! may, with its default stack size.

use crate::sample::Sample;

/// Runs `body` as a coroutine on `procs` workers.
pub(crate) fn as_task(
    procs: u32,
    body: impl FnOnce() -> Result<Sample, String> + Send + 'static,
) -> Result<Sample, String> {
    may::config().set_workers(procs as usize);
    let done = may::go!(body).join();
    done.map_err(|_| "may: the first coroutine panicked".to_owned())?
}
