//! Operations with other tasks.

use crate::actor::Actor;
use crate::fail;
use gopark::net::UnixStream;
use gopark::sync::{Group, Mutex, Semaphore};
use gopark::{Builder, JoinError, JoinHandle, Scope, block_on, chan, spawn_future};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::panic::resume_unwind;
use std::sync::Arc;

/// How a child ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Returns,
    Panics,
    Exits,
}

pub(crate) fn join(actor: &mut Actor) {
    if !actor.is_shallow() {
        return;
    }
    let end = match actor.below(8) {
        0 => End::Panics,
        1 => End::Exits,
        _ => End::Returns,
    };
    let (child, answer) = (actor.child(), actor.random.next());
    let body = move || {
        child.steps(3);
        match end {
            End::Returns => answer,
            // Without the hook, which would print it.
            End::Panics => resume_unwind(Box::new(answer)),
            End::Exits => gopark::goexit(),
        }
    };
    let kind = actor.below(12);
    // A panic that nobody asks for would be reported.
    if kind < 3 && end != End::Panics {
        drop(gopark::go(body));
        return;
    }
    if end == End::Panics && actor.may_unwind() {
        return;
    }
    let task: JoinHandle<u64> = match kind {
        3 => Builder::new().name("child").go(body).expect("there is room for a task"),
        4 => spawn_future(async move { body() }),
        5 if actor.below(8) == 0 => {
            Builder::new().own_thread().go(body).expect("there is room for a thread")
        }
        _ => gopark::go(body),
    };
    let result = if kind == 6 { block_on(task) } else { task.join() };
    let right = match &result {
        Ok(value) => end == End::Returns && *value == answer,
        Err(JoinError::Panicked(payload)) => {
            end == End::Panics && payload.downcast_ref() == Some(&answer)
        }
        Err(JoinError::Exited) => end == End::Exits,
        Err(_) => actor.is_mortal(),
    };
    if !right {
        fail(&format!("a join gives {result:?}"));
    }
}

/// Tasks that borrow.
pub(crate) fn scoped(actor: &mut Actor) {
    if !actor.is_shallow() {
        return;
    }
    let mut children: Vec<_> = (0..=actor.below(3)).map(|_| Some(actor.child())).collect();
    let mut numbers = vec![0; children.len()];
    let outside = &numbers as *const Vec<i32> as usize;
    gopark::scope(|nursery| {
        for (child, number) in children.iter_mut().zip(&mut numbers) {
            nursery.go(move || {
                if let Some(child) = child.take() {
                    child.steps(2);
                }
                *number += 1;
            });
        }
    });
    if outside == 0 || numbers.iter().any(|number| *number != 1) && !actor.is_mortal() {
        fail("a scope has ended before its tasks");
    }
}

pub(crate) fn group(actor: &mut Actor) {
    if !actor.is_shallow() {
        return;
    }
    let mut group = Group::<u64, u64>::new();
    if actor.below(2) == 0 {
        group = group.limit(1 + actor.below(3) as usize);
    }
    let fails = actor.below(8);
    let count = 1 + actor.below(5);
    for n in 0..count {
        let child = actor.child();
        group.go(move || {
            child.steps(1);
            if n == fails { Err(n) } else { Ok(n) }
        });
    }
    if actor.is_mortal() {
        // It panics if one was ended by the reaper.
        return;
    }
    let right = match group.wait() {
        Ok(values) => fails >= count && values.into_iter().eq(0..count),
        Err(error) => error == fails && fails < count,
    };
    if !right {
        fail("a group has another outcome than its tasks");
    }
}

/// Two that compete for one permit, and for one lock.
pub(crate) fn meet(actor: &mut Actor) {
    if !actor.is_shallow() {
        return;
    }
    let shared = Arc::new((Semaphore::new(1), Mutex::new(0)));
    let rounds = 1 + actor.below(4);
    let count = move |shared: &(Semaphore, Mutex<u64>)| {
        for _ in 0..rounds {
            let _permit = shared.0.acquire(1);
            let Some(mut count) = shared.1.try_lock() else {
                fail("who has the only permit finds the lock taken")
            };
            let before = *count;
            gopark::yield_now();
            *count = before + 1;
        }
    };
    let other = shared.clone();
    let other = gopark::go(move || count(&other));
    count(&shared);
    let ended = other.join().is_ok();
    if !actor.is_mortal() && (!ended || *shared.1.lock() != 2 * rounds) {
        fail("two counted together and lost something");
    }
}

/// Tasks of another scope, which somebody reaps while they do something.
pub(crate) fn reap(actor: &mut Actor) {
    if !actor.is_shallow() || actor.is_mortal() {
        return;
    }
    let scope = Scope::new("within");
    actor.world.remember(&scope);
    let mut tasks = Vec::new();
    for _ in 0..=actor.below(4) {
        let child = actor.mortal_child();
        let _in = scope.enter();
        tasks.push(gopark::go(move || child.steps(20)));
    }
    for _ in 0..actor.below(4) {
        gopark::yield_now();
    }
    let (tx, rx) = chan::bounded(1);
    if actor.world.jobs.send((scope.clone(), tx)).is_err() {
        fail("nobody reaps any more");
    }
    let Ok(ended) = rx.recv() else { fail("a scope was given to be reaped, and nobody answers") };
    actor.world.reaped.fetch_add(ended as u64, std::sync::atomic::Ordering::Relaxed);
    for task in tasks {
        match task.join() {
            Ok(()) | Err(JoinError::Reaped) => {}
            Err(error) => fail(&format!("a task that was reaped: {error}")),
        }
    }
}

pub(crate) fn sockets(actor: &mut Actor) {
    if !actor.is_shallow() {
        return;
    }
    let (mut here, there) = UnixStream::pair().expect("there is room for a socket");
    let echo = gopark::go(move || {
        let copied = io::copy(&mut &there, &mut &there);
        let _ = there.shutdown(Shutdown::Write);
        copied
    });
    let sent: Vec<u8> = (0..1 + actor.below(3000)).map(|n| n as u8).collect();
    let mut received = Vec::new();
    let outcome = (|| {
        here.write_all(&sent)?;
        here.shutdown(Shutdown::Write)?;
        here.read_to_end(&mut received)
    })();
    let echoed = echo.join();
    if !actor.is_mortal() {
        if outcome.is_err() || received != sent {
            fail(&format!("a socket carries something else: {outcome:?}"));
        }
        if !echoed.is_ok_and(|copied| copied.is_ok_and(|copied| copied == sent.len() as u64)) {
            fail("an echo has failed");
        }
    }
}

pub(crate) fn let_others_run(actor: &mut Actor) {
    match actor.below(8) {
        0 => gopark::safepoint(),
        1 => gopark::blocking(std::thread::yield_now),
        2 => {
            let _locked = gopark::lock_os_thread();
            gopark::yield_now();
        }
        3 => gopark::stack::grow(256 << 10, gopark::yield_now),
        _ => gopark::yield_now(),
    }
}
