//! Operations on channels.

use crate::actor::Actor;
use crate::fail;
use crate::ledger::Token;
use crate::world::Line;
use gopark::chan::{self, Case, RecvError, SendError};
use gopark::{block_on, select};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

fn note<T>(actor: &Actor, id: u32, sent: Result<(), T>, back: impl FnOnce(T) -> Token) {
    match sent {
        Ok(()) => actor.world.ledger.sent(id),
        Err(error) => back(error).back(),
    }
}

pub(crate) fn send(actor: &mut Actor) {
    let line = actor.line();
    let (token, limit) = (actor.token(), actor.moment());
    let id = token.id;
    match actor.below(5) {
        0 => note(actor, id, line.tx.try_send(token), |e| e.into_inner()),
        1 => note(actor, id, line.tx.send_timeout(token, limit), |e| e.into_inner()),
        2 => {
            note(actor, id, line.tx.send_deadline(token, Instant::now() + limit), |e| {
                e.into_inner()
            });
        }
        3 => {
            let context = actor.world.context.clone();
            note(actor, id, context.send(&line.tx, token), |e| e.into_inner());
        }
        _ => note(actor, id, line.tx.send(token), |SendError(token)| token),
    }
}

pub(crate) fn receive(actor: &mut Actor) {
    let line = actor.line();
    let limit = actor.moment();
    let token = match actor.below(6) {
        0 => line.rx.try_recv().ok(),
        1 => line.rx.recv_timeout(limit).ok(),
        2 => line.rx.recv_deadline(Instant::now() + limit).ok(),
        3 => actor.world.context.recv(&line.rx).ok(),
        4 => {
            for token in line.rx.try_iter().take(3) {
                actor.got(&line, token);
            }
            None
        }
        _ => line.rx.recv().ok(),
    };
    if let Some(token) = token {
        actor.got(&line, token);
    }
}

pub(crate) fn select_some(actor: &mut Actor) {
    let (one, other) = (actor.line(), actor.line());
    // Dropped if another case is chosen.
    let token = actor.unsure_token();
    let (id, limit) = (token.id, actor.moment());
    let context = actor.world.context.clone();
    let sent = |sent: Result<(), SendError<Token>>, actor: &Actor| {
        note(actor, id, sent, |SendError(token)| token);
    };
    let mut from = None;
    match actor.below(4) {
        0 => select! {
            recv(one.rx) -> token => from = Some((&one, token)),
            send(other.tx, token) -> result => sent(result, actor),
            recv(context.done()) => {}
        },
        1 => select! {
            send(one.tx, token) -> result => sent(result, actor),
            recv(one.rx) -> token => from = Some((&one, token)),
            recv(other.rx) -> token => from = Some((&other, token)),
            default => {}
        },
        2 => select! {
            recv(other.rx) -> token => from = Some((&other, token)),
            recv(one.rx) -> token => from = Some((&one, token)),
            after(limit) => {}
        },
        _ => {
            // The same value cannot be in two cases, so another one is made.
            let more = actor.unsure_token();
            let next = more.id;
            select! {
                send(one.tx, token) -> result => sent(result, actor),
                send(other.tx, more) -> result => {
                    note(actor, next, result, |SendError(token)| token);
                }
                recv(context.done()) => {}
            }
        }
    }
    if let Some((line, Ok(token))) = from {
        actor.got(line, token);
    }
}

pub(crate) fn select_list(actor: &mut Actor) {
    let lines: Vec<Line> = (0..=actor.below(5)).map(|_| actor.line()).collect();
    let tokens: Vec<Token> = lines.iter().map(|_| actor.token()).collect();
    let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
    let context = actor.world.context.clone();
    let group = actor.world.group.clone();
    let mut recvs: Vec<_> = lines.iter().map(|line| line.rx.case()).collect();
    let mut sends: Vec<_> =
        lines.iter().zip(tokens).map(|(line, token)| line.tx.case(token)).collect();
    let (mut done, mut zero) = (context.done().case(), group.case());
    let (limit, kind) = (actor.moment(), actor.below(8));
    let (with_recvs, with_sends) = (kind & 1 == 0, kind & 3 != 2);
    let with_zero = actor.below(4) == 0;
    let mut list: Vec<&mut dyn Case> = Vec::new();
    if with_recvs {
        list.extend(recvs.iter_mut().map(|case| case as &mut dyn Case));
    }
    if with_sends {
        list.extend(sends.iter_mut().map(|case| case as &mut dyn Case));
    }
    list.push(&mut done);
    if with_zero {
        list.push(&mut zero);
    }
    let chosen = match kind >> 1 {
        0 => chan::try_select(&mut list),
        1 => chan::select_timeout(&mut list, limit),
        _ => Some(chan::select(&mut list)),
    };
    drop(list);
    let many = lines.len();
    let received = usize::from(with_recvs) * many;
    let mut sent = None;
    match chosen {
        Some(n) if n < received => {
            if let Ok(token) = recvs[n].take() {
                actor.got(&lines[n], token);
            }
        }
        Some(n) if n < received + usize::from(with_sends) * many => {
            let n = n - received;
            sent = Some(n);
            note(actor, ids[n], sends[n].take(), |SendError(token)| token);
        }
        Some(n) if n == received + usize::from(with_sends) * many => {
            let _ = done.take();
        }
        _ => {}
    }
    for (n, case) in sends.into_iter().enumerate() {
        match case.into_value() {
            Some(token) => token.back(),
            None if sent == Some(n) => {}
            None => fail("a case that was not chosen has lost its value"),
        }
    }
}

/// Nobody.
struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

/// Polls once. `None`: it was given up.
fn once<F: Future>(future: F) -> Option<F::Output> {
    let waker = Waker::from(Arc::new(Nobody));
    match pin!(future).poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// The first that is ready; the other one is given up.
async fn either<A: Future, B: Future<Output = A::Output>>(a: A, b: B) -> (bool, A::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    std::future::poll_fn(|context| {
        if let Poll::Ready(output) = a.as_mut().poll(context) {
            return Poll::Ready((true, output));
        }
        b.as_mut().poll(context).map(|output| (false, output))
    })
    .await
}

pub(crate) fn futures(actor: &mut Actor) {
    let (one, other) = (actor.loose_line(), actor.loose_line());
    match actor.below(6) {
        0 => {
            let token = actor.token();
            let id = token.id;
            let sent = block_on(one.tx.send_async(token));
            note(actor, id, sent, |SendError(token)| token);
        }
        1 => {
            let token = actor.unsure_token();
            let id = token.id;
            if let Some(sent) = once(one.tx.send_async(token)) {
                note(actor, id, sent, |SendError(token)| token);
            }
        }
        2 => {
            if let Some(Ok(token)) = once(one.rx.recv_async()) {
                actor.got(&one, token);
            }
        }
        3 => {
            let (first, got) = block_on(either(one.rx.recv_async(), other.rx.recv_async()));
            if let Ok(token) = got {
                actor.got(if first { &one } else { &other }, token);
            }
        }
        4 => {
            // A wait that is given up when the world ends.
            let context = actor.world.context.clone();
            let stopped = async {
                let _ = context.done().recv_async().await;
                Err(RecvError)
            };
            if let (_, Ok(token)) = block_on(either(one.rx.recv_async(), stopped)) {
                actor.got(&one, token);
            }
        }
        _ => {
            if let Ok(token) = block_on(one.rx.recv_async()) {
                actor.got(&one, token);
            }
        }
    }
}

pub(crate) fn renew(actor: &mut Actor) {
    let at = actor.below(actor.world.lines.len() as u64) as usize;
    let capacity = actor.below(4) as usize;
    actor.world.renew(at, capacity);
}

/// Question and answer with a task of its own: nobody else ends these waits.
pub(crate) fn there_and_back(actor: &mut Actor) {
    if !actor.is_shallow() {
        return;
    }
    let (questions, asked) = chan::bounded(actor.below(2) as usize);
    let (replies, answers) = chan::bounded(actor.below(2) as usize);
    let by_select = actor.below(2) == 0;
    let child = gopark::go(move || {
        while let Ok(n) = asked.recv() {
            let reply: u64 = n + 1;
            let sent = if by_select {
                select! { send(replies, reply) -> sent => sent.is_ok() }
            } else {
                replies.send(reply).is_ok()
            };
            if !sent {
                break;
            }
        }
    });
    for n in 0..1 + actor.below(4) {
        if questions.send(n).is_err() || answers.recv() != Ok(n + 1) {
            // It was reaped.
            if !actor.is_mortal() {
                fail("an answer is wrong");
            }
            return;
        }
    }
    drop(questions);
    if child.join().is_err() && !actor.is_mortal() {
        fail("a task that answers has failed");
    }
}
