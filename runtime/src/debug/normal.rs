//! How many tasks are normal.
//!
//! The table is the one in the documentation of [`inspect`](crate::inspect). Whoever looks is
//! told where the program stands in it: a program that was not made for many and has many
//! leaks them, as a rule.

/// So many tasks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Level {
    /// No more than these are of this level.
    most: usize,
    /// One word, for programs.
    pub(super) name: &'static str,
    /// Where that is normal, and what to do.
    pub(super) meaning: &'static str,
}

const LEVELS: [Level; 5] = [
    Level { most: 100, name: "few", meaning: "normal for a command-line tool" },
    Level { most: 1_000, name: "normal", meaning: "normal for a server" },
    Level {
        most: 10_000,
        name: "watch",
        meaning: "normal for a server under high load only: keep an eye on it",
    },
    Level { most: 100_000, name: "limit", meaning: "normal in special cases only: limit them" },
    Level { most: usize::MAX, name: "rethink", meaning: "hardly normal anywhere: think of fewer" },
];

impl Level {
    pub(super) fn of(tasks: usize) -> Level {
        *LEVELS.iter().find(|level| tasks <= level.most).expect("the last one has no limit")
    }

    /// Whether somebody should know.
    pub(super) fn is_warning(self) -> bool {
        self.most > 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_begin_where_the_table_says() {
        let levels = [0, 100, 101, 1_000, 1_001, 10_000, 10_001, 100_000, 100_001, usize::MAX];
        let names = levels.map(|tasks| Level::of(tasks).name);
        let expected = ["few", "few", "normal", "normal", "watch", "watch", "limit", "limit"];
        assert_eq!(names[..8], expected);
        assert_eq!(names[8..], ["rethink", "rethink"]);
        let warnings = levels.map(|tasks| Level::of(tasks).is_warning());
        assert_eq!(warnings.iter().filter(|warns| **warns).count(), 6);
        assert!(!warnings[3] && warnings[4]);
    }
}
