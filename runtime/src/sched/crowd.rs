//! Tells when there are more tasks than somebody thinks normal: a leak that grows.
//!
//! The thread for errands counts them, twice a second while somebody runs and once
//! before all sleep; sysmon asks for it. A crowd that comes and goes between two looks
//! is not seen.

use super::SCHED;
use crate::inspect;
use crate::task::scope;
use std::fmt::Write as _;

/// Groups that a warning names.
const GROUPS: usize = 5;

pub(super) struct Crowd {
    /// More than so many are worth the next warning.
    most: Option<usize>,
}

impl Crowd {
    pub(super) fn new() -> Crowd {
        Crowd { most: SCHED.many_tasks() }
    }

    /// Warns when there are more than at the last warning twice over.
    pub(super) fn look(&mut self) {
        let Some(most) = self.most else { return };
        let live = scope::live_everywhere();
        if live > most {
            let next = doubled(most, live);
            self.most = Some(next);
            crate::sys::warn(&report(live, most, next));
        }
    }
}

/// Doubles a number until it is no less than another.
fn doubled(mut most: usize, live: usize) -> usize {
    while most < live {
        most = most.saturating_mul(2);
    }
    most
}

fn report(live: usize, most: usize, next: usize) -> String {
    let mut text =
        format!("{live} tasks live, more than {most} (GOPARK_DEBUG=warntasks); most of them are");
    let groups = inspect::groups();
    for group in groups.iter().take(GROUPS) {
        let _ = write!(text, "\n\t{group}");
    }
    if let Some(more) = groups.len().checked_sub(GROUPS).filter(|more| *more != 0) {
        let _ = write!(text, "\n\tand {more} other groups");
    }
    let _ = write!(text, "\n\tthe next warning comes with more than {next}");
    text
}

#[cfg(test)]
mod tests {
    use super::doubled;

    #[test]
    fn the_next_warning_is_beyond_what_there_is() {
        assert_eq!(doubled(10, 11), 20);
        assert_eq!(doubled(10, 20), 20);
        assert_eq!(doubled(10, 21), 40);
        assert_eq!(doubled(1, 1_000_000), 1 << 20);
        assert_eq!(doubled(usize::MAX - 1, usize::MAX), usize::MAX);
    }
}
