//! Beside tokio.

use gopark::{Builder, block_on, chan, go, spawn_future};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, oneshot};

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("tokio")
}

/// As the documentation says.
fn block_on_with<F: Future>(tokio: &Handle, future: F) -> F::Output {
    let mut future = pin!(future);
    block_on(poll_fn(|cx| {
        let _entered = tokio.enter();
        future.as_mut().poll(cx)
    }))
}

#[test]
fn tokios_channels_work_in_tasks() {
    let (tx, mut rx) = mpsc::channel(1);
    let sum = spawn_future(async move {
        let mut sum = 0;
        while let Some(n) = rx.recv().await {
            sum += n;
        }
        sum
    });
    let sender = spawn_future(async move {
        for n in 1..=100 {
            tx.send(n).await.unwrap();
        }
    });
    sender.join().unwrap();
    assert_eq!(sum.join().unwrap(), 5050);
}

#[test]
fn our_channels_and_handles_work_in_tokio() {
    let runtime = runtime();
    let (tx, rx) = chan::rendezvous();
    let (back, answers) = chan::bounded(2);
    let served = runtime.spawn(async move {
        let mut served = 0;
        while let Ok(n) = rx.recv_async().await {
            back.send_async(n * 2).await.unwrap();
            served += 1;
        }
        served
    });
    let asks = go(move || {
        (1..=100_u32)
            .map(|n| {
                tx.send(n).unwrap();
                answers.recv().unwrap()
            })
            .sum::<u32>()
    });
    let sum = runtime.block_on(async { asks.await.unwrap() });
    assert_eq!((sum, runtime.block_on(served).unwrap()), (10_100, 100));
}

#[test]
fn a_runtime_is_entered_for_each_poll() {
    let runtime = runtime();
    let handle = runtime.handle().clone();
    let task = go(move || {
        block_on_with(&handle, async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let (tx, rx) = oneshot::channel();
            tokio::spawn(async move { tx.send(7).unwrap() });
            rx.await.unwrap()
        })
    });
    assert_eq!(task.join().unwrap(), 7);
}

#[test]
fn a_thread_of_its_own_keeps_a_runtime_entered() {
    let runtime = runtime();
    let handle = runtime.handle().clone();
    let task = Builder::new()
        .own_thread()
        .go(move || {
            let _entered = handle.enter();
            block_on(async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                tokio::spawn(async { 7 }).await.unwrap()
            })
        })
        .unwrap();
    assert_eq!(task.join().unwrap(), 7);
}

/// On one thread, and in turns: whoever polls has its own runtime.
#[test]
fn tasks_of_one_thread_enter_different_runtimes() {
    let runtimes = [runtime(), runtime()];
    let tasks = [0, 1, 0, 1].map(|n| {
        let handle = runtimes[n].handle().clone();
        go(move || {
            let own = handle.id();
            block_on_with(&handle, async move {
                for _ in 0..20 {
                    tokio::time::sleep(Duration::from_micros(50)).await;
                    assert_eq!(Handle::current().id(), own);
                    tokio::spawn(async move { assert_eq!(Handle::current().id(), own) })
                        .await
                        .unwrap();
                }
            });
            // Nothing is left behind on the thread.
            assert!(Handle::try_current().is_err());
        })
    });
    tasks.into_iter().for_each(|task| task.join().unwrap());
}
