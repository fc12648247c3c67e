//! OS threads that are left when the tests are over, each with the test that made it
//! or whose task or thread did.
//!
//! Only where births of threads are told of. Elsewhere it is neither known which test
//! made a thread nor whether it serves them all, and a pool that some library keeps for
//! the program would make every run fail.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use gopark::threads::{self, known};
use gopark::{Scope, ScopeId};

use super::end::{Owner, Settled};
use crate::Filter;
use crate::settings::Timing;
use crate::source::threads::Told;
use crate::source::{FIRST_PAUSE, Found, LAST_PAUSE, Seen, is_left_out};
use crate::sys;

/// Waits until they have ended or the deadline has passed, which began to run at the
/// `start`; what is alive then.
pub(super) fn left(
    filter: &Filter,
    settled: &HashMap<ScopeId, Settled>,
    timing: Timing,
    start: Instant,
) -> BTreeMap<Owner, Found> {
    if !sys::wrapped() || known() == 0 {
        return BTreeMap::new();
    }
    let watch = Scope::watch_all();
    let begun = Instant::now();
    // To look is dear, and most of what is there is about to end.
    let patience = timing.settle.min(LAST_PAUSE);
    let mut pause = FIRST_PAUSE;
    loop {
        watch.renew();
        let epoch = watch.epoch();
        let scopes = Scope::all();
        let unchecked = scopes.iter().filter_map(|scope| match settled.get(&scope.id()) {
            None => Some((scope, Owner::of(scope), None)),
            Some(Settled::TasksOf(subject, own)) => {
                Some((scope, Owner::of_subject(subject), Some(own)))
            }
            Some(Settled::Wholly) => None,
        });
        let unchecked: Vec<(&Scope, Owner, Option<&Filter>)> = unchecked
            .filter(|(scope, ..)| threads::of(scope).iter().any(|thread| !thread.shared))
            .collect();
        if unchecked.is_empty() {
            return BTreeMap::new();
        }
        let left = timing.deadline.saturating_sub(start.elapsed());
        if left.is_zero() || begun.elapsed() >= patience {
            let found = look(filter, unchecked);
            if found.is_empty() || left.is_zero() {
                return found;
            }
        }
        // A thread of a scope that ends is an event; one of the root is none.
        watch.wait(epoch, pause.min(left).max(Duration::from_micros(1)));
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

fn look(filter: &Filter, scopes: Vec<(&Scope, Owner, Option<&Filter>)>) -> BTreeMap<Owner, Found> {
    let mut all: BTreeMap<Owner, Found> = BTreeMap::new();
    for (scope, owner, own) in scopes {
        let mut told = Told::of(scope.clone());
        let mut items = told.look();
        items.retain(|item| {
            !is_left_out(filter, item) && !own.is_some_and(|own| is_left_out(own, item))
        });
        if !items.is_empty() {
            let found = all.entry(owner).or_default();
            found.items.append(&mut items);
            found.left_out.append(&mut told.left_out());
        }
    }
    all
}
