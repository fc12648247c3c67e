//! Who does one random operation after the other.

use crate::ledger::Token;
use crate::world::{Line, World};
use crate::{channels, clocks, fail, locks, tasks};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Random numbers that a seed repeats (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }
}

/// How deep actors start others.
const DEEP: u8 = 2;

pub(crate) struct Actor {
    pub(crate) world: Arc<World>,
    pub(crate) random: Random,
    me: u32,
    /// The reaper may end it.
    mortal: bool,
    /// Limits that may unwind it.
    limits: u8,
    depth: u8,
    /// The last value of a maker that came through a channel.
    last: BTreeMap<(u32, u32), u32>,
}

type Op = fn(&mut Actor);

/// How often of all, and what.
const OPS: &[(u64, Op)] = &[
    (20, channels::send),
    (20, channels::receive),
    (12, channels::select_some),
    (10, channels::select_list),
    (8, channels::futures),
    (2, channels::renew),
    (4, channels::there_and_back),
    (8, locks::mutex),
    (8, locks::rwlock),
    (10, locks::condition),
    (8, locks::semaphore),
    (3, locks::barrier),
    (3, locks::cell),
    (6, locks::wait_group),
    (3, locks::signal),
    (8, tasks::join),
    (3, tasks::scoped),
    (3, tasks::group),
    (3, tasks::meet),
    (3, tasks::reap),
    (1, tasks::sockets),
    (6, tasks::let_others_run),
    (4, clocks::sleep),
    (4, clocks::timers),
    (3, clocks::contexts),
    (4, clocks::limited),
];

impl Actor {
    pub(crate) fn new(world: &Arc<World>, seed: u64, mortal: bool) -> Actor {
        Actor {
            world: world.clone(),
            random: Random::new(seed),
            me: world.number(),
            mortal,
            limits: 0,
            depth: 0,
            last: BTreeMap::new(),
        }
    }

    /// One that this one starts.
    pub(crate) fn child(&mut self) -> Actor {
        let mut child = Actor::new(&self.world, self.random.next(), self.mortal);
        child.depth = self.depth + 1;
        child
    }

    pub(crate) fn mortal_child(&mut self) -> Actor {
        Actor { mortal: true, ..self.child() }
    }

    /// Until all is done.
    pub(crate) fn act(mut self) {
        while self.world.is_open() {
            self.step();
        }
    }

    /// A few operations.
    pub(crate) fn steps(mut self, most: u64) {
        for _ in 0..=self.below(most) {
            if self.world.is_open() {
                self.step();
            }
        }
    }

    pub(crate) fn step(&mut self) {
        self.world.ops.fetch_add(1, Ordering::Relaxed);
        let sum = OPS.iter().map(|(weight, _)| weight).sum();
        let mut at = self.below(sum);
        for (weight, op) in OPS {
            if at < *weight {
                return op(self);
            }
            at -= weight;
        }
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.random.below(limit)
    }

    /// A short time.
    pub(crate) fn moment(&mut self) -> Duration {
        Duration::from_micros(self.below(80))
    }

    /// Whether it may start others.
    pub(crate) fn is_shallow(&self) -> bool {
        self.depth < DEEP
    }

    pub(crate) fn is_mortal(&self) -> bool {
        self.mortal
    }

    /// Whether a wait may end by an unwind.
    pub(crate) fn may_unwind(&self) -> bool {
        self.mortal || self.limits != 0
    }

    pub(crate) fn within_limit(&mut self, f: impl FnOnce(&mut Actor)) {
        self.limits += 1;
        f(self);
        self.limits -= 1;
    }

    pub(crate) fn no_limit_any_more(&mut self, limits: u8) {
        self.limits = limits;
    }

    pub(crate) fn limits(&self) -> u8 {
        self.limits
    }

    pub(crate) fn line(&mut self) -> Line {
        let at = self.below(self.world.lines.len() as u64);
        self.world.lines[at as usize].read().clone()
    }

    /// One in which values need not stay in order: what was given to a future that is
    /// dropped goes on to the next receiver, behind values that were sent later.
    pub(crate) fn loose_line(&mut self) -> Line {
        loop {
            let line = self.line();
            if !line.in_order {
                return line;
            }
        }
    }

    pub(crate) fn token(&self) -> Token {
        self.world.ledger.token(self.me, self.may_unwind())
    }

    /// One whose send may be given up.
    pub(crate) fn unsure_token(&self) -> Token {
        self.world.ledger.token(self.me, true)
    }

    /// One that somebody else will send, at any time.
    pub(crate) fn foreign_token(&self) -> Token {
        self.world.ledger.token(self.world.number(), true)
    }

    /// A value has come; those of one maker come in order.
    pub(crate) fn got(&mut self, line: &Line, token: Token) {
        let before = self.last.insert((line.number, token.maker), token.id);
        if line.in_order && before.is_some_and(|before| before >= token.id) {
            fail(&format!("value {} comes after {before:?}", token.id));
        }
        token.got();
    }
}
