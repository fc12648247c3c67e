//! What is said when a task runs off its stack.

use super::arena;
use crate::sys::signal::{self, Text};
use crate::task;
use core::fmt::Write;

/// Installs the fault handler. Called once, when the runtime starts.
pub(crate) fn install() {
    signal::install(on_fault);
}

/// Runs in the signal handler (H1): returns unless the fault is a guard hit.
fn on_fault(address: usize) {
    let Some(stack) = arena::guard_hit(address) else { return };
    let mut text = Text::new();
    // `Text` never fails; what does not fit is cut.
    let _ = write!(text, "\ngopark: fatal error: stack overflow in task ");
    match task::running() {
        Some(task) => {
            let record = task.record();
            let _ = write!(text, "{}, {}", record.id(), record.entry());
            let at = record.created_at();
            let _ = write!(text, "\n  created at {}:{}", at.file(), at.line());
        }
        None => {
            let _ = write!(text, "unknown");
        }
    }
    let _ = write!(
        text,
        "\n  it used all {} KiB of its stack, whose lowest byte is {:p}\n  \
         run deep recursion on a thread of its own, or keep its data on the heap\n",
        stack.class().usable() >> 10,
        stack.base(),
    );
    text.write_to_stderr();
    // SAFETY: abort is async-signal-safe.
    unsafe { libc::abort() };
}
