//! Operations that have to do with time, and with being told to stop.

use crate::actor::Actor;
use crate::fail;
use gopark::chan;
use gopark::context::ContextError;
use gopark::time::{self, Elapsed, Ticker, Timer};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub(crate) fn sleep(actor: &mut Actor) {
    let (moment, begin) = (actor.moment(), Instant::now());
    match actor.below(3) {
        0 => {
            let _ = actor.world.context.sleep(moment);
            return;
        }
        1 => {
            let _ = time::after(moment).recv();
        }
        _ => gopark::sleep(moment),
    }
    if begin.elapsed() < moment && !actor.is_mortal() {
        fail("a sleep was too short");
    }
}

pub(crate) fn timers(actor: &mut Actor) {
    let (soon, moment) = (actor.moment(), actor.moment());
    match actor.below(4) {
        0 => {
            let timer = Timer::new(soon);
            gopark::sleep(moment);
            if !timer.stop() && !actor.is_mortal() {
                fail("a timer whose value nobody has received cannot be stopped");
            }
            if timer.receiver().try_recv().is_ok() {
                fail("a timer that was stopped sends");
            }
        }
        1 => {
            let timer = Timer::new(Duration::from_secs(3600));
            let begin = Instant::now();
            if !timer.reset(soon) {
                fail("a timer is not set");
            }
            let fired = timer.receiver().recv();
            if !actor.is_mortal() && (fired.is_err() || begin.elapsed() < soon) {
                fail("a timer that was set anew fires too early, or not at all");
            }
        }
        2 => {
            let (tx, rx) = chan::bounded(1);
            let timer = time::after_func(soon, move || {
                let _ = tx.send(());
            });
            gopark::sleep(moment);
            let stopped = timer.stop();
            let ran = rx.recv().is_ok();
            if ran == stopped && !actor.is_mortal() {
                fail("a function of a timer ran although it was stopped, or neither");
            }
        }
        _ => {
            let ticker = Ticker::new(Duration::from_micros(20));
            for _ in 0..2 {
                let _ = ticker.receiver().recv();
            }
            ticker.stop();
            if ticker.receiver().try_recv().is_ok() {
                fail("a ticker that was stopped ticks");
            }
        }
    }
}

/// A context that is cancelled or runs out of time, with tasks that wait for it.
pub(crate) fn contexts(actor: &mut Actor) {
    if !actor.is_shallow() {
        return;
    }
    let limit = actor.moment();
    let (context, cancel) = match actor.below(3) {
        0 => actor.world.context.with_timeout(limit),
        _ => actor.world.context.with_cancel(),
    };
    let (calls, ended) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let count = calls.clone();
    let function = context.after_func(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let tasks: Vec<_> = (0..=actor.below(3))
        .map(|n| {
            let (inner, inner_cancel) = context.with_cancel();
            let (line, token) = (actor.line(), actor.foreign_token());
            let (id, world, ended) = (token.id, actor.world.clone(), ended.clone());
            gopark::go(move || {
                let _cancel = inner_cancel;
                match n {
                    0 => drop(inner.wait()),
                    1 => {
                        if let Ok(token) = inner.recv(&line.rx) {
                            token.got();
                        }
                    }
                    2 => match inner.send(&line.tx, token) {
                        Ok(()) => world.ledger.sent(id),
                        Err(error) => error.into_inner().back(),
                    },
                    _ => {
                        let _ = inner.sleep(Duration::from_secs(3600));
                    }
                }
                ended.fetch_add(1, Ordering::Relaxed);
            })
        })
        .collect();
    if actor.below(2) == 0 {
        gopark::yield_now();
    }
    let stopped = actor.below(2) == 0 && function.stop();
    cancel.cancel();
    if context.err().is_none() {
        fail("a context that was cancelled is not done");
    }
    let many = tasks.len();
    let well = tasks.into_iter().filter_map(|task| task.join().ok()).count();
    if !actor.is_mortal() && (well != many || ended.load(Ordering::Relaxed) as usize != many) {
        fail("tasks do not end with their context");
    }
    if calls.load(Ordering::Relaxed) > u32::from(!stopped) {
        fail("a function of a context was called although it was stopped, or twice");
    }
    if context.err() == Some(ContextError::DeadlineExceeded) && context.deadline().is_none() {
        fail("a context without a deadline has exceeded it");
    }
}

/// Any operation, which has to end in time.
pub(crate) fn limited(actor: &mut Actor) {
    let (moment, before) = (actor.moment(), actor.limits());
    if before > 1 {
        return;
    }
    let outcome = time::timeout(moment, || actor.within_limit(Actor::step));
    if outcome == Err(Elapsed) {
        actor.no_limit_any_more(before);
    }
}
