//! The workloads: a file each, all of the same shape. [`ALL`] is the order of
//! the report.

mod clean_check;
mod dump;
pub(crate) mod echo;
mod fib;
mod grow;
mod mpmc;
mod mutex;
mod parked;
mod ping_pong;
mod preemption;
mod recursion;
mod select;
mod skynet;
mod sleep;
mod spawn;
mod spawn_join;
mod trace;
mod verdict;
mod wrapped_thread;
mod r#yield;

use crate::workload::{Case, Family};

/// Every family, in the order of the report.
pub(crate) const ALL: &[Family] = &[
    spawn::FAMILY,
    spawn_join::FAMILY,
    r#yield::FAMILY,
    ping_pong::FAMILY,
    mpmc::FAMILY,
    mutex::FAMILY,
    select::FAMILY,
    fib::FAMILY,
    skynet::FAMILY,
    sleep::FAMILY,
    parked::FAMILY,
    dump::FAMILY,
    trace::FAMILY,
    echo::FAMILY,
    recursion::FAMILY,
    grow::FAMILY,
    preemption::FAMILY,
    clean_check::FAMILY,
    verdict::FAMILY,
    wrapped_thread::FAMILY,
];

/// Every case of every family.
pub(crate) fn cases() -> Vec<&'static Case> {
    ALL.iter().flat_map(|family| family.cases).collect()
}

/// The cases that `name` stands for: a family's, one case, or the case that
/// gives the row of that name.
pub(crate) fn matching(name: &str) -> Vec<&'static Case> {
    let is_meant = |family: &Family, case: &Case| {
        family.name == name || case.name == name || case.rows.iter().any(|row| row.name == name)
    };
    let all = ALL.iter().flat_map(|family| family.cases.iter().map(move |case| (family, case)));
    all.filter(|(family, case)| is_meant(family, case)).map(|(_, case)| case).collect()
}

/// Every name that [`matching`] knows, each once.
pub(crate) fn names() -> Vec<&'static str> {
    let mut names = Vec::new();
    for family in ALL {
        names.push(family.name);
        for case in family.cases {
            names.push(case.name);
            names.extend(case.rows.iter().map(|row| row.name));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Runtime;

    #[test]
    fn cases_and_rows_have_names_of_their_own() {
        let mut cases: Vec<_> = cases().iter().map(|case| case.name).collect();
        let mut rows: Vec<_> =
            super::cases().iter().flat_map(|case| case.rows.iter().map(|row| row.name)).collect();
        for names in [&mut cases, &mut rows] {
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        }
    }

    #[test]
    fn every_case_exists_in_gopark_and_gives_a_row() {
        for case in cases() {
            assert!(case.body(Runtime::Gopark).is_some(), "{}", case.name);
            assert!(!case.rows.is_empty(), "{}", case.name);
        }
    }
}
