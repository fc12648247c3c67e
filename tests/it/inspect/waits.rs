//! What parked tasks wait for.

use crate::support::{Gate, parked};
use gopark::chan::{self, Case};
use gopark::inspect::{self, ChannelEnd, Half, Handles, WaitReason, WaitsFor};
use gopark::sync::{Barrier, Semaphore, WaitGroup};
use gopark::{TaskId, go};
use std::sync::Arc;

/// What the task waits for, which parks for this reason.
#[track_caller]
fn ends(id: TaskId, reason: WaitReason) -> Vec<WaitsFor> {
    parked(id, reason);
    // It may be looked at by others at the same moment.
    loop {
        let mut tasks = vec![parked(id, reason)];
        inspect::explain(&mut tasks);
        let ends = std::mem::take(&mut tasks[0].waits_for);
        if !ends.is_empty() {
            return ends;
        }
        gopark::yield_now();
    }
}

#[track_caller]
fn channel(id: TaskId, reason: WaitReason) -> ChannelEnd {
    match &ends(id, reason)[..] {
        [WaitsFor::Channel(end)] => end.clone(),
        ends => panic!("{ends:?}"),
    }
}

fn handles(end: &ChannelEnd, half: Half) -> Vec<&Handles> {
    end.handles.iter().filter(|it| it.half == half).collect()
}

#[test]
fn handles_by_who_made_and_who_used_them() {
    let (tx, rx) = chan::bounded::<u8>(2);
    let made = line!() - 1;
    let clones: Vec<_> = (0..3).map(|_| tx.clone()).collect();
    let cloned = line!() - 1;
    let receiver = go(move || rx.recv());
    let end = channel(receiver.id(), WaitReason::ChanReceive);
    assert_eq!((end.wants_to, end.capacity, end.len), (Half::Receive, 2, 0));
    assert_eq!((end.senders, end.receivers, end.timer), (4, 1, false));
    assert_eq!((end.created_at.file(), end.created_at.line()), (file!(), made));
    let of_receiver = handles(&end, Half::Receive);
    assert_eq!(of_receiver.len(), 1);
    assert_eq!((of_receiver[0].count, &of_receiver[0].users[..]), (1, &[receiver.id()][..]));
    let places: Vec<_> = handles(&end, Half::Send)
        .iter()
        .map(|it| (it.created_at.line(), it.count, it.users.len()))
        .collect();
    assert_eq!(places, [(made, 1, 0), (cloned, 3, 0)]);

    drop((tx, clones));
    assert!(receiver.join().unwrap().is_err());
}

#[test]
fn a_handle_has_its_last_user_until_it_is_dropped() {
    let (tx, rx) = chan::rendezvous::<u8>();
    let clone = rx.clone();
    let receiver = go(move || rx.recv());
    let users = || -> Vec<TaskId> {
        let end = channel(receiver.id(), WaitReason::ChanReceive);
        let others = handles(&end, Half::Receive).into_iter();
        others.flat_map(|it| it.users.clone()).filter(|user| *user != receiver.id()).collect()
    };
    assert_eq!(users(), []);
    let use_it = |rx: chan::Receiver<u8>| {
        let user = go(move || {
            assert!(rx.try_recv().is_err());
            rx
        });
        (user.id(), user.join().unwrap())
    };
    let (first, clone) = use_it(clone);
    assert_eq!(users(), [first], "it has ended, but nobody has used the handle since");
    let seconds: Vec<TaskId> = (0..3).map(|_| use_it(clone.clone()).0).collect();
    let left = users();
    assert!(left == [first] || left.is_empty(), "of handles that are gone: {left:?}, {seconds:?}");
    drop(clone);
    assert_eq!(users(), []);
    drop(tx);
    assert!(receiver.join().unwrap().is_err());
}

#[test]
fn each_case_of_a_select() {
    let (tx, full) = chan::bounded(1);
    tx.send(0).unwrap();
    let (other, inbox) = chan::rendezvous::<String>();
    let group = WaitGroup::new();
    group.add(3);
    let waited = group.clone();
    let task = go(move || {
        let never = chan::never::<u8>();
        let mut cases = (never.case(), inbox.case(), tx.case(1), waited.case());
        let mut list: [&mut dyn Case; 4] = [&mut cases.0, &mut cases.1, &mut cases.2, &mut cases.3];
        chan::select(&mut list)
    });
    let ends = ends(task.id(), WaitReason::Select);
    let [WaitsFor::Channel(inbox), WaitsFor::Channel(outbox), WaitsFor::WaitGroup { count, .. }] =
        &ends[..]
    else {
        panic!("{ends:?}")
    };
    assert_eq!((inbox.wants_to, inbox.capacity), (Half::Receive, 0));
    assert_eq!((outbox.wants_to, outbox.capacity, outbox.len), (Half::Send, 1, 1));
    assert_eq!(*count, 3);
    drop(other);
    assert_eq!(task.join().unwrap(), 1);
    drop(full);
}

#[test]
fn what_is_no_channel() {
    let gate = Gate::new();
    let held = gate.clone();
    let child = go(move || held.pass());
    let child_id = child.id();
    let joiner = go(move || child.join().unwrap());
    let seen = ends(joiner.id(), WaitReason::Join);
    assert!(matches!(seen[..], [WaitsFor::Task(task)] if task == child_id), "{seen:?}");
    gate.open();
    joiner.join().unwrap();

    let group = WaitGroup::new();
    group.add(2);
    let line = line!() - 1;
    let waited = group.clone();
    let task = go(move || waited.wait());
    let seen = ends(task.id(), WaitReason::WaitGroupWait);
    let [WaitsFor::WaitGroup { count: 2, counted: Some(counted), .. }] = &seen[..] else {
        panic!("{seen:?}")
    };
    assert_eq!((counted.task, counted.site.line()), (inspect::current_task(), line));
    group.done();
    group.done();
    task.join().unwrap();

    let semaphore = Arc::new(Semaphore::new(3));
    let permit = semaphore.acquire(2);
    let line = line!() - 1;
    let task = {
        let semaphore = semaphore.clone();
        go(move || drop(semaphore.acquire(2)))
    };
    let seen = ends(task.id(), WaitReason::SemaphoreAcquire);
    let [WaitsFor::Semaphore { wants: 2, free: 1, size: 3, taken: Some(taken), .. }] = &seen[..]
    else {
        panic!("{seen:?}")
    };
    assert_eq!((taken.task, taken.site.line()), (inspect::current_task(), line));
    drop(permit);
    task.join().unwrap();

    let barrier = Arc::new(Barrier::new(2));
    let task = {
        let barrier = barrier.clone();
        go(move || barrier.wait().is_leader())
    };
    let seen = ends(task.id(), WaitReason::BarrierWait);
    assert!(matches!(seen[..], [WaitsFor::Barrier { parties: 2, arrived: 1, .. }]), "{seen:?}");
    barrier.wait();
    task.join().unwrap();
}

/// While tasks park and are woken all the time, nobody is lost and nothing breaks.
#[test]
fn looking_disturbs_nobody() {
    let players: Vec<_> = (0..4)
        .map(|_| {
            let (tx, rx) = chan::rendezvous::<u32>();
            go(move || (0..2000).for_each(|n| tx.send(n).unwrap()));
            go(move || rx.iter().count())
        })
        .collect();
    while !players.iter().all(gopark::JoinHandle::is_finished) {
        let mut tasks = inspect::Snapshot::all().tasks;
        inspect::explain(&mut tasks);
        gopark::yield_now();
    }
    for player in players {
        assert_eq!(player.join().unwrap(), 2000);
    }
}
