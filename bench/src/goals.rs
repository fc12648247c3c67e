//! The table of goals: what each row has to reach, in one place. Whether a goal
//! is met is reported and never makes the bench fail.

/// What a row has to reach.
pub(crate) struct Goal {
    /// The row's name.
    pub(crate) row: &'static str,
    /// As reported.
    pub(crate) text: &'static str,
    /// As tested.
    pub(crate) limit: Limit,
}

impl Goal {
    /// Whether there is nothing to reach.
    pub(crate) fn is_shown(&self) -> bool {
        matches!(self.limit, Limit::Shown)
    }
}

/// How a goal is tested; a figure at the limit meets it.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// The ratio to Go's median in the same run.
    OfGo(f64),
    /// The ratio to the median of another row of the same mode.
    OfRow(&'static str, f64),
    /// The median itself, in the row's unit: for what Go cannot be asked in
    /// the same run. `text` says where the limit comes from.
    Fixed(f64),
    /// None: the row is there to be looked at, and `text` says why.
    Shown,
}

const fn of_go(row: &'static str, text: &'static str, limit: f64) -> Goal {
    Goal { row, text, limit: Limit::OfGo(limit) }
}

const fn fixed(row: &'static str, text: &'static str, limit: f64) -> Goal {
    Goal { row, text, limit: Limit::Fixed(limit) }
}

const fn shown(row: &'static str, text: &'static str) -> Goal {
    Goal { row, text, limit: Limit::Shown }
}

/// A first run pays the kernel for every page that it touches.
const COLD: &str = "none: a first run is page faults";

/// One for every row. The goleak figures were measured once, with Go 1.27.3 on
/// a 2-core Linux x86-64 machine; goleak polls, so they hardly depend on the
/// machine.
const GOALS: &[Goal] = &[
    of_go("spawn", "<= 0.4", 0.4),
    of_go("spawn_join", "<= 0.4", 0.4),
    of_go("yield", "<= 0.2", 0.2),
    of_go("ping_pong_1p", "<= 0.3", 0.3),
    of_go("ping_pong_2p", "<= 0.5", 0.5),
    of_go("mpmc_buffered", "<= 0.7", 0.7),
    of_go("mpmc_rendezvous", "<= 0.5", 0.5),
    of_go("mutex_contended", "<= 0.8", 0.8),
    of_go("select_1p", "<= 0.5", 0.5),
    of_go("select_2p", "<= 0.5", 0.5),
    of_go("fib", "<= 0.4", 0.4),
    of_go("skynet", "<= 0.4", 0.4),
    of_go("skynet_memory", "<= 1", 1.0),
    of_go("sleep", "<= 0.5", 0.5),
    of_go("parked_memory", "<= 2", 2.0),
    fixed("parked_page_tables", "<= 300 B", 300.0),
    of_go("dump_debug2", "<= 0.2", 0.2),
    of_go("dump_debug0", "<= 0.5", 0.5),
    fixed("dump_beside", "<= 20 %", 20.0),
    fixed("dump_load", "<= 10 %", 10.0),
    fixed("dump_page", "<= 10 %", 10.0),
    of_go("echo", "<= 1", 1.0),
    of_go("echo_p99", "<= 1", 1.0),
    of_go("echo_beside_10k", "<= 1", 1.0),
    of_go("echo_beside_10k_p99", "<= 1", 1.0),
    of_go("echo_idle_memory", "<= 2", 2.0),
    of_go("recursion_100", "<= 0.5", 0.5),
    of_go("recursion_1000", "<= 0.5", 0.5),
    of_go("recursion_10000", "<= 0.5", 0.5),
    shown("recursion_100_cold", COLD),
    shown("recursion_1000_cold", COLD),
    shown("recursion_10000_cold", COLD),
    fixed("grow_hot", "<= 30 ns", 30.0),
    fixed("ensure_hot", "<= 30 ns", 30.0),
    of_go("wake_delay_mean", "<= 0.6", 0.6),
    of_go("wake_delay_worst", "<= 0.4", 0.4),
    of_go("wake_delay_1ms_mean", "<= 0.1", 0.1),
    of_go("wake_delay_1ms_worst", "<= 0.1", 0.1),
    fixed("preempted_compute", "<= 1 %", 1.0),
    fixed("preempted_sharing", "<= 1 %", 1.0),
    fixed("undeclared_reads", "<= 25 %", 25.0),
    fixed("clean_check", "<= 2 us (goleak: 97 us)", 2.0),
    Goal {
        row: "clean_check_beside_10k",
        text: "<= 1.25 of clean_check (goleak: 129 ms)",
        limit: Limit::OfRow("clean_check", 1.25),
    },
    fixed("clean_test", "<= 2 us", 2.0),
    Goal {
        row: "clean_test_beside_10k",
        text: "<= 1.25 of clean_test",
        limit: Limit::OfRow("clean_test", 1.25),
    },
    fixed("clean_test_first", "<= 2 us", 2.0),
    fixed("verdict_1", "settle of 20 ms and this: <= 0.1 of goleak's 446 ms", 0.1 * 446.0 - 20.0),
    fixed(
        "verdict_10k",
        "settle of 20 ms and this: <= 0.1 of goleak's 2500 ms",
        0.1 * 2500.0 - 20.0,
    ),
    fixed("trace_echo", "<= 3 %", 3.0),
    fixed("trace_pool", "<= 3 %", 3.0),
    shown("thread_plain", "none: what std and the system take"),
    fixed("thread_wrapped", "<= 2 us more", 2.0),
];

/// The goal of a row.
pub(crate) fn of(row: &str) -> Option<&'static Goal> {
    GOALS.iter().find(|goal| goal.row == row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads;

    #[test]
    fn every_row_has_one_goal_and_every_goal_a_row() {
        let cases = workloads::cases();
        let mut rows: Vec<_> =
            cases.iter().flat_map(|case| case.rows).map(|row| row.name).collect();
        let mut goals: Vec<_> = GOALS.iter().map(|goal| goal.row).collect();
        rows.sort_unstable();
        goals.sort_unstable();
        assert_eq!(rows, goals);
    }
}
