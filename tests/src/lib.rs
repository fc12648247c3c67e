//! Whole-system tests live in `tests/`.
//!
//! Here is what all of them share.

use std::time::{Duration, Instant};

/// How long a loop that looks again and again waits before it calls a hang.
///
/// Between two looks a second passes at most, for it: when the whole machine stood still
/// for a minute, nobody hangs.
#[derive(Debug)]
pub struct Patience {
    left: Duration,
    looked: Instant,
}

impl Patience {
    /// So much time from now on.
    pub fn new(time: Duration) -> Patience {
        Patience { left: time, looked: Instant::now() }
    }

    /// Whether it is over. To be asked at each look.
    pub fn is_over(&mut self) -> bool {
        let now = Instant::now();
        self.pass(now)
    }

    fn pass(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.looked);
        self.looked = now;
        self.left = self.left.saturating_sub(passed.min(Duration::from_secs(1)));
        self.left.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stood_still_has_not_waited() {
        let mut patience = Patience::new(Duration::from_secs(3));
        let mut now = patience.looked + Duration::from_secs(100);
        assert!(!patience.pass(now), "one look");
        now += Duration::from_millis(1999);
        assert!(!patience.pass(now), "another");
        now += Duration::from_millis(999);
        assert!(!patience.pass(now), "nearly");
        now += Duration::from_millis(1);
        assert!(patience.pass(now), "three seconds");
    }
}
