//! Who may yet wake a task, so that it is no leak so far: timers, threads, tasks of others.

use super::{MS, check, clean, report, shows, spinner};
use crate::fixtures::{leak_a_receiver, silent};
use crate::support::{alone, alone_with, here};
use gopark::{Builder, Scope, chan, go, time};
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

#[test]
fn a_select_that_something_can_wake() {
    alone(here!(), || {
        let scope = Scope::new("select");
        let _in = scope.enter();
        let (_to_a, a) = chan::rendezvous::<u8>();
        let (to_b, b) = chan::rendezvous::<u8>();
        go(move || gopark::select! { recv(a) -> _ => {}, recv(b) -> got => drop(got.unwrap()) });
        // Another task of the scope will come to the second channel.
        go(move || {
            gopark::sleep(60 * MS);
            to_b.send(1).unwrap();
        });
        clean();
        // A limit ends it by itself.
        let (_to_c, c) = chan::rendezvous::<u8>();
        go(move || gopark::select! { recv(c) -> _ => {}, after(60 * MS) => {} });
        clean();
    });
}

/// What waits for a timer is no leak while the timer is set.
#[test]
fn one_that_waits_for_a_timer() {
    alone(here!(), || {
        let scope = Scope::new("after");
        let _in = scope.enter();
        go(|| time::after(100 * MS).recv().unwrap());
        // Longer than it takes to decide about a leak.
        clean();
        let (tx, rx) = chan::rendezvous();
        let other = go(move || rx.recv());
        time::after_func(100 * MS, move || tx.send(()).unwrap());
        clean();
        assert_eq!(other.join().unwrap(), Ok(()));
        // A function that is still to come is no task.
        let later = time::after_func(60_000 * MS, || ());
        clean();
        assert!(later.stop());
    });
}

#[test]
fn one_that_waits_for_a_ticker() {
    alone_with(here!(), &[("LEAKCHECK_DEADLINE_MS", "300")], || {
        let scope = Scope::new("ticker");
        let _in = scope.enter();
        let ticker = time::Ticker::new(40 * MS);
        go(move || ticker.receiver().iter().count());
        let (text, took) = report();
        shows(&text, &["1 task leaked", "may yet be woken by 1 timer that is set"]);
        assert!(took >= 300 * MS, "{took:?}");
        // It has gone with its task.
        leak_a_receiver();
        let (text, _) = report();
        shows(&text, &["1 task leaked", "nothing can wake it"]);
    });
}

#[test]
fn one_that_waits_for_a_timer_that_is_stopped() {
    alone(here!(), || {
        let scope = Scope::new("stopped");
        let _in = scope.enter();
        let timer = time::Timer::new(60_000 * MS);
        let receiver = timer.receiver().clone();
        go(move || receiver.recv().is_ok());
        timer.stop();
        let (text, _) = report();
        shows(&text, &["1 task leaked", "nothing can wake it"]);
    });
}

/// Those of a scope that is open and shares nothing with this one wake nobody here.
#[test]
fn timers_of_others() {
    alone(here!(), || {
        let other = Scope::new("other");
        let theirs = {
            let _in = other.enter();
            time::Timer::new(60_000 * MS)
        };
        let scope = Scope::new("mine");
        let _in = scope.enter();
        leak_a_receiver();
        let (text, _) = report();
        shows(&text, &["1 task leaked", "nothing can wake it"]);
        drop(theirs);
    });
}

#[test]
fn a_timer_of_others_that_a_task_waits_for() {
    alone_with(here!(), &[("LEAKCHECK_DEADLINE_MS", "100")], || {
        let other = Scope::new("other");
        let theirs = {
            let _in = other.enter();
            time::Timer::new(60_000 * MS)
        };
        let scope = Scope::new("mine");
        let _in = scope.enter();
        let receiver = theirs.receiver().clone();
        go(move || receiver.recv().is_ok());
        let left = check().expect_err("a task that waits for their timer");
        assert!(left.to_string().contains("1 timer that is set"), "{left}");
        left.reap();
    });
}

/// A timer of the scope is a possible waker: the check waits for what it does.
#[test]
fn a_timer_that_frees_another() {
    alone(here!(), || {
        let scope = Scope::new("timer");
        let _in = scope.enter();
        let (tx, rx) = chan::rendezvous::<()>();
        let never = silent();
        go(move || rx.recv());
        go(move || {
            never.recv_timeout(100 * MS).unwrap_err();
            drop(tx);
        });
        clean();
    });
}

#[test]
fn a_foreign_thread_may_wake_a_task() {
    alone(here!(), || {
        let scope = Scope::new("foreign");
        let _in = scope.enter();
        let (tx, rx) = chan::rendezvous();
        go(move || rx.recv().unwrap());
        // Unknown to the runtime until it sends.
        let thread = thread::spawn(move || {
            thread::sleep(100 * MS);
            tx.send(()).unwrap();
        });
        clean();
        thread.join().unwrap();
    });
}

#[test]
fn a_foreign_thread_that_only_ends() {
    alone(here!(), || {
        let scope = Scope::new("foreign");
        let _in = scope.enter();
        leak_a_receiver();
        let start = Instant::now();
        let thread = thread::spawn(|| thread::sleep(100 * MS));
        let (text, _) = report();
        shows(&text, &["nothing can wake it"]);
        assert!(start.elapsed() >= 100 * MS, "{:?}", start.elapsed());
        thread.join().unwrap();
    });
}

#[test]
fn a_foreign_thread_that_stays() {
    alone_with(here!(), &[("LEAKCHECK_DEADLINE_MS", "100")], || {
        let scope = Scope::new("foreign");
        let _in = scope.enter();
        leak_a_receiver();
        let ((started, named), (stop, wait)) = (mpsc::channel(), mpsc::channel::<()>());
        let stays = move || {
            started.send(()).unwrap();
            wait.recv()
        };
        let thread = thread::Builder::new().name("bystander".into()).spawn(stays).unwrap();
        named.recv().unwrap();
        let (text, _) = report();
        shows(
            &text,
            &["still blocked after ", "1 thread that the runtime does not know (`bystander`)"],
        );
        drop(stop);
        thread.join().unwrap().unwrap_err();
    });
}

/// A thread that is itself parked in one of our primitives wakes nobody.
#[test]
fn an_adopted_thread_that_is_parked() {
    alone(here!(), || {
        let (tx, rx) = chan::rendezvous::<()>();
        let (here, there) = mpsc::channel();
        let thread = thread::spawn(move || {
            drop(gopark::Scope::current());
            here.send(()).unwrap();
            rx.recv()
        });
        there.recv().unwrap();
        let scope = Scope::new("adopted");
        let _in = scope.enter();
        leak_a_receiver();
        let (text, _) = report();
        shows(&text, &["nothing can wake it"]);
        drop(tx);
        thread.join().unwrap().unwrap_err();
    });
}

#[test]
fn a_task_outside_may_wake_one() {
    alone(here!(), || {
        let (tx, rx) = chan::rendezvous();
        let pool = go(move || {
            gopark::sleep(100 * MS);
            tx.send(()).unwrap();
        });
        let scope = Scope::new("inside");
        {
            let _in = scope.enter();
            go(move || rx.recv().unwrap());
            clean();
        }
        pool.join().unwrap();
    });
}

/// Another test's task counts only where both have used the same primitive.
#[test]
fn scopes_that_share_a_channel() {
    alone(here!(), || {
        let (giver, taker) = (Scope::new("giver"), Scope::new("taker"));
        let (tx, rx) = chan::rendezvous();
        {
            let _in = giver.enter();
            go(move || {
                tx.send(1).unwrap();
                gopark::sleep(100 * MS);
                tx.send(2).unwrap();
            });
        }
        {
            let _in = taker.enter();
            go(move || assert_eq!((rx.recv(), rx.recv()), (Ok(1), Ok(2))));
            clean();
        }
        let _in = giver.enter();
        clean();
    });
}

#[test]
fn scopes_that_share_nothing() {
    alone(here!(), || {
        let (other, mine) = (Scope::new("other"), Scope::new("mine"));
        let stop = {
            let _in = other.enter();
            spinner()
        };
        let _in = mine.enter();
        leak_a_receiver();
        let (text, _) = report();
        shows(&text, &["nothing can wake it"]);
        stop.store(true, Ordering::Relaxed);
    });
}

/// What is left out is not reported, but it may still wake others.
#[test]
fn an_ignored_task_is_a_possible_waker() {
    alone(here!(), || {
        let scope = Scope::new("ignored");
        let _in = scope.enter();
        let (tx, rx) = chan::rendezvous();
        let server = move || {
            gopark::sleep(100 * MS);
            tx.send(()).unwrap();
            silent().recv()
        };
        Builder::new().daemon().go(server).unwrap();
        go(move || rx.recv());
        clean();
        assert_eq!(scope.live(), 1, "the daemon stays");
    });
}
