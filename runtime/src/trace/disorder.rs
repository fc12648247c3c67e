//! Entries in any order, of any tasks, on any threads: what the model makes of them.

use super::file::HEADER;
use super::model::{Model, Who};
use super::strict::Trace;
use crate::sched::observe::{Birth, Event, Given, Leave, User};
use crate::task::reason::WaitReason;
use core::panic::Location;

/// Numbers that look random, by a generator that needs no state but this.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % n
    }

    fn or_none<T>(&mut self, some: T) -> Option<T> {
        (self.below(4) != 0).then_some(some)
    }

    fn event(&mut self) -> Event {
        let (task, p) = (1 + self.below(6), self.below(3) as u32);
        let site = Some(Location::caller());
        match self.below(16) {
            0..3 => Event::Start { task, p: self.or_none(p) },
            3 => Event::Leave { task, p: self.or_none(p), how: Leave::Yields },
            4 => Event::Leave { task, p: self.or_none(p), how: Leave::GivesWay },
            5..7 => {
                let how = Leave::Parks { reason: WaitReason::ChanSend, site };
                Event::Leave { task, p: self.or_none(p), how }
            }
            7 => Event::Leave { task, p: self.or_none(p), how: Leave::Ends },
            8..10 => Event::Ready { task },
            10 => {
                let (entry, at) = ("shop::bake::{{closure}}", Location::caller());
                let name = if task.is_multiple_of(2) { "baker" } else { "" }.to_owned();
                Event::Born(Box::new(Birth { task, p: self.or_none(p), entry, at, name }))
            }
            11 => Event::Taken { p, task: self.or_none(task) },
            12..14 => {
                let why = [Given::Idle, Given::Call(site), Given::Suspended];
                let why = why[self.below(3) as usize];
                Event::Given { p, task: self.or_none(task), why }
            }
            14 => Event::Limit { count: 1 + p },
            _ => Event::User { task, p: self.or_none(p), user: Box::new(self.user()) },
        }
    }

    fn user(&mut self) -> User {
        let (id, task, name) = (1 + self.below(4), self.below(3), "order".to_owned());
        match self.below(4) {
            0 => User::TaskEnd { id },
            1 => User::RegionBegin { task, id, name },
            2 => User::RegionEnd { id },
            _ => User::Log { task, category: name, message: String::new() },
        }
    }
}

/// Whatever comes in, a strict reader takes what comes out.
#[test]
fn what_comes_out_is_in_order() {
    for seed in 0..3000 {
        let mut dice = Dice(seed);
        let mut model = Model::new(1000, 2);
        let mut file = HEADER.to_vec();
        for id in 1..=dice.below(7) {
            model.hint(id, Who { entry: "shop::sell", at: Some(Location::caller()) });
        }
        (0..dice.below(4)).for_each(|m| model.event(1000 + m, m as usize, &dice.event()));
        let still: Vec<_> = (1..=dice.below(7)).map(|id| (id, dice.below(2) == 0)).collect();
        let workers = [(1, 0, 1 + dice.below(6)), (2, dice.below(3) as u32, 1 + dice.below(6))];
        model.settle_hints(still.into_iter(), workers.into_iter());
        let mut events = 0;
        for time in 0..dice.below(300) {
            // Clocks that do not quite agree.
            let time = 1010 + 3 * time - dice.below(9);
            model.event(time, dice.below(4) as usize, &dice.event());
            if dice.below(40) == 0 {
                let alive = dice.below(64);
                model.forget(|id| alive >> id & 1 == 0);
                let (generation, count) = model.turn_over(time);
                file.extend(generation.into_bytes());
                events = count;
            }
        }
        if events == 0 {
            let (generation, count) = model.turn_over(2000);
            file.extend(generation.into_bytes());
            events = count;
        }
        assert_eq!(Trace::read(&file).events.len() as u64, events, "seed {seed}");
    }
}
