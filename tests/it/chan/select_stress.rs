//! Many tasks and threads that select at random, from a seed: nothing is lost and
//! nothing comes twice.

use super::support::{EACH, Random, Seed, Who};
use gopark::chan::{self, Case, Receiver, RecvError, Sender, bounded};
use gopark::select;
use std::time::Duration;

const COUNT: u64 = 300;

/// A number that anybody may send, so it can stand in several cases at once.
type Number = u64;

fn produce(to: &[Sender<Number>; 3], numbers: std::ops::Range<Number>, who: Who, seed: u64) {
    let mut random = Random::new(seed);
    let [a, b, c] = to;
    for n in numbers {
        if random.below(8) == 0 {
            who.yield_now();
        }
        loop {
            let limit = Duration::from_micros(random.below(100));
            let sent = match random.below(5) {
                0 => Some(a.send(n)),
                1 => Some(select! {
                    send(a, n) -> sent => sent,
                    send(b, n) -> sent => sent,
                    send(c, n) -> sent => sent,
                }),
                2 => select! {
                    send(c, n) -> sent => Some(sent),
                    send(a, n) -> sent => Some(sent),
                    default => None,
                },
                3 => select! {
                    send(b, n) -> sent => Some(sent),
                    after(limit) => None,
                    send(b, n) -> sent => Some(sent),
                },
                _ => {
                    let mut cases: Vec<_> = (0..12).map(|i| to[i % 3].case(n)).collect();
                    let mut list: Vec<_> =
                        cases.iter_mut().map(|case| case as &mut dyn Case).collect();
                    let chosen = chan::select_timeout(&mut list, limit);
                    chosen.map(|chosen| cases[chosen].take())
                }
            };
            match sent {
                Some(sent) => break sent.expect("it is open"),
                None => who.yield_now(),
            }
        }
    }
}

fn consume(from: &[Receiver<Number>; 3], who: Who, seed: u64) -> Vec<Number> {
    let mut random = Random::new(seed);
    let never = chan::never();
    // Those that are closed are switched off.
    let mut from = from.each_ref();
    let mut got = Vec::new();
    while from.iter().any(|rx| !rx.same_channel(&never)) {
        if random.below(8) == 0 {
            who.yield_now();
        }
        let [a, b, c] = from;
        let limit = Duration::from_micros(random.below(100));
        let some = match random.below(4) {
            0 => Some(select! {
                recv(a) -> n => (0, n),
                recv(b) -> n => (1, n),
                recv(c) -> n => (2, n),
            }),
            1 => select! {
                recv(c) -> n => Some((2, n)),
                recv(a) -> n => Some((0, n)),
                default => None,
            },
            2 => select! {
                after(limit) => None,
                recv(b) -> n => Some((1, n)),
                recv(c) -> n => Some((2, n)),
                recv(b) -> n => Some((1, n)),
            },
            _ => {
                let mut cases: Vec<_> = (0..12).map(|i| from[i % 3].case()).collect();
                let mut list: Vec<_> = cases.iter_mut().map(|case| case as &mut dyn Case).collect();
                let chosen = chan::select_timeout(&mut list, limit);
                chosen.map(|chosen| (chosen % 3, cases[chosen].take()))
            }
        };
        match some {
            Some((_, Ok(n))) => got.push(n),
            Some((closed, Err(RecvError))) => from[closed] = &never,
            None => who.yield_now(),
        }
    }
    got
}

#[test]
fn random_selects() {
    for seed in 0..12 {
        let _seed = Seed(seed);
        let mut random = Random::new(seed);
        let channels = [(); 3].map(|()| bounded(random.below(3) as usize));
        let to = channels.each_ref().map(|(tx, _)| tx.clone());
        let from = channels.map(|(_, rx)| rx);
        let (producers, consumers) = (1 + random.below(4), 1 + random.below(4));
        let mut someone = || (EACH[random.below(2) as usize], random.below(1 << 40));
        let producers: Vec<_> = (0..producers)
            .map(|me| {
                let ((who, seed), to) = (someone(), to.clone());
                who.start(move || produce(&to, me * COUNT..(me + 1) * COUNT, who, seed))
            })
            .collect();
        drop(to);
        let consumers: Vec<_> = (0..consumers)
            .map(|_| {
                let ((who, seed), from) = (someone(), from.clone());
                who.start(move || consume(&from, who, seed))
            })
            .collect();
        drop(from);
        let expected = 0..producers.len() as u64 * COUNT;
        producers.into_iter().for_each(|producer| producer.join());
        let mut all: Vec<_> = consumers.into_iter().flat_map(|consumer| consumer.join()).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(expected), "seed {seed}: lost or doubled");
    }
}
