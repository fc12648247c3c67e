//! A value goes to a second task and comes back, over two unbuffered channels;
//! an operation is one round trip.
//!
//! tokio and may have no unbuffered channel: tokio's holds one value, may's is
//! unbounded. With one value under way that is less work, not more. Threads have no part in it: a round
//! trip between two of them measures the kernel.

use crate::workload::{Answer, Body, Case, Family, Row, Runtime, Sizes, identity, sum_below};

pub(super) const FAMILY: Family = Family {
    name: "ping_pong",
    about: "round trips of a value between two tasks, unbuffered",
    cases: &[
        Case {
            name: "ping_pong_1p",
            procs: 1,
            sizes: SIZES,
            units: identity,
            want: sum_below,
            bodies: &[
                (Runtime::Gopark, Body::Plain(gopark)),
                (Runtime::Go, Body::InGo),
                (Runtime::Tokio, Body::Future(tokio)),
                (Runtime::May, Body::Plain(may)),
            ],
            rows: &[Row::ns_per_unit("ping_pong_1p")],
        },
        Case {
            name: "ping_pong_2p",
            procs: 2,
            sizes: SIZES,
            units: identity,
            want: sum_below,
            bodies: &[
                (Runtime::Gopark, Body::Plain(gopark)),
                (Runtime::Go, Body::InGo),
                (Runtime::Tokio, Body::Future(tokio)),
                (Runtime::May, Body::Plain(may)),
            ],
            rows: &[Row::ns_per_unit("ping_pong_2p")],
        },
    ],
};

const SIZES: Sizes = Sizes { full: 1_000_000, quick: 100_000, warm: 10_000 };

fn gopark(size: u64) -> u64 {
    let (there, inbox) = gopark::chan::rendezvous();
    let (reply, back) = gopark::chan::rendezvous();
    let echo = gopark::go(move || {
        for value in inbox {
            reply.send(value).expect("the first task receives");
        }
    });
    let mut sum = 0;
    for i in 0..size {
        there.send(i).expect("the echo receives");
        sum += back.recv().expect("the echo replies");
    }
    there.close();
    echo.join().expect("the echo returns");
    sum
}

fn tokio(size: u64) -> Answer {
    Box::pin(async move {
        let (there, mut inbox) = tokio::sync::mpsc::channel(1);
        let (reply, mut back) = tokio::sync::mpsc::channel(1);
        let echo = tokio::spawn(async move {
            while let Some(value) = inbox.recv().await {
                reply.send(value).await.expect("the first task receives");
            }
        });
        let mut sum = 0;
        for i in 0..size {
            there.send(i).await.expect("the echo receives");
            sum += back.recv().await.expect("the echo replies");
        }
        drop(there);
        echo.await.expect("the echo returns");
        sum
    })
}

fn may(size: u64) -> u64 {
    let (there, inbox) = may::sync::mpsc::channel();
    let (reply, back) = may::sync::mpsc::channel();
    let echo = may::go!(move || {
        for value in inbox {
            reply.send(value).expect("the first coroutine receives");
        }
    });
    let mut sum = 0;
    for i in 0..size {
        there.send(i).expect("the echo receives");
        sum += back.recv().expect("the echo replies");
    }
    drop(there);
    echo.join().expect("the echo returns");
    sum
}
