//! Many senders, many receivers, tasks and threads, random operations.

use super::support::{EACH, Random, Seed, Who};
use gopark::chan::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError, bounded};
use std::time::Duration;

/// Sends its values in order, each in a random way.
fn produce(tx: &Sender<(usize, usize)>, me: usize, count: usize, who: Who, seed: u64) {
    let mut random = Random::new(seed);
    for n in 0..count {
        let mut value = (me, n);
        loop {
            let result = match random.below(4) {
                0 => tx.try_send(value).map_err(|err| match err {
                    TrySendError::Full(value) => value,
                    TrySendError::Closed(_) => panic!("closed while receivers are there"),
                }),
                1 => {
                    let limit = Duration::from_micros(random.below(30));
                    tx.send_timeout(value, limit).map_err(|err| {
                        assert!(err.is_timeout());
                        err.into_inner()
                    })
                }
                _ => tx.send(value).map_err(|_| panic!("closed while receivers are there")),
            };
            match result {
                Ok(()) => break,
                Err(back) => value = back,
            }
            who.yield_now();
        }
    }
}

/// Receives until the channel is closed, each time in a random way.
fn consume(rx: &Receiver<(usize, usize)>, who: Who, seed: u64) -> Vec<(usize, usize)> {
    let mut random = Random::new(seed);
    let mut got = Vec::new();
    loop {
        match random.below(4) {
            0 => match rx.try_recv() {
                Ok(value) => got.push(value),
                Err(TryRecvError::Empty) => who.yield_now(),
                Err(TryRecvError::Closed) => return got,
            },
            1 => match rx.recv_timeout(Duration::from_micros(random.below(30))) {
                Ok(value) => got.push(value),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Closed) => return got,
            },
            _ => match rx.recv() {
                Ok(value) => got.push(value),
                Err(_) => return got,
            },
        }
    }
}

#[test]
fn random_operations() {
    const COUNT: usize = 150;
    for seed in 1..=12 {
        let _seed = Seed(seed);
        let mut random = Random::new(seed);
        let capacity = [0, 0, 1, 2, 16][random.below(5) as usize];
        let senders = 1 + random.below(5) as usize;
        let receivers = 1 + random.below(5) as usize;
        let (tx, rx) = bounded(capacity);
        let producers: Vec<_> = (0..senders)
            .map(|me| {
                let (tx, who, seed) =
                    (tx.clone(), EACH[random.below(2) as usize], random.below(1 << 40));
                who.start(move || produce(&tx, me, COUNT, who, seed))
            })
            .collect();
        drop(tx);
        let consumers: Vec<_> = (0..receivers)
            .map(|_| {
                let (rx, who, seed) =
                    (rx.clone(), EACH[random.below(2) as usize], random.below(1 << 40));
                who.start(move || consume(&rx, who, seed))
            })
            .collect();
        drop(rx);
        producers.into_iter().for_each(|p| p.join());
        let mut all = Vec::new();
        for consumer in consumers {
            let got = consumer.join();
            // Whoever receives two values of one sender gets them in order.
            for me in 0..senders {
                let of_me = got.iter().filter(|(from, _)| *from == me);
                assert!(of_me.is_sorted(), "seed {seed}: values of sender {me} out of order");
            }
            all.extend(got);
        }
        all.sort_unstable();
        let expected: Vec<_> =
            (0..senders).flat_map(|me| (0..COUNT).map(move |n| (me, n))).collect();
        assert_eq!(all, expected, "seed {seed}: lost or doubled values");
    }
}

/// The workload of the bench: blocking operations only.
#[test]
fn many_to_many() {
    const COUNT: u64 = 1000;
    for capacity in [0, 1, 1024] {
        let (tx, rx) = bounded(capacity);
        let producers: Vec<_> = (0..4u64)
            .map(|me| {
                let tx = tx.clone();
                gopark::go(move || (0..COUNT).for_each(|n| tx.send(me * COUNT + n).unwrap()))
            })
            .collect();
        drop(tx);
        let consumers: Vec<_> = (0..4)
            .map(|_| {
                let rx = rx.clone();
                gopark::go(move || rx.iter().sum::<u64>())
            })
            .collect();
        producers.into_iter().for_each(|p| p.join().unwrap());
        let sum: u64 = consumers.into_iter().map(|c| c.join().unwrap()).sum();
        assert_eq!(sum, (0..4 * COUNT).sum());
    }
}

/// Each stage owns its receiver and the next one's sender, so the end of the
/// first runs through all of them.
#[test]
fn a_pipeline_of_many_stages() {
    let (tx, mut rx) = bounded::<u64>(1);
    for stage in 0..200 {
        let (next, out) = bounded(stage % 3);
        let input = std::mem::replace(&mut rx, out);
        gopark::go(move || input.into_iter().try_for_each(|v| next.send(v + 1)));
    }
    let first = gopark::go(move || (0..50).for_each(|v| tx.send(v).unwrap()));
    assert_eq!(rx.iter().collect::<Vec<_>>(), (200..250).collect::<Vec<_>>());
    first.join().unwrap();
}
