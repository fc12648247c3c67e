//! In which scope a task or thread is, and how it gets into another.
//!
//! A record names two: its *home*, where its birth and death are counted, and the one that
//! it is in now, to which belongs what it makes. They differ between
//! [`enter`](Scope::enter) and the drop of the guard, and for the thread of a test. While
//! they differ the record itself has a handle to the one it is in ([`hold`]), so that this one
//! is not used again under it (C2), in whatever order guards are dropped or forgotten.
//! Every change goes through [`switch`] or [`rehome`], which keep that count right, and is
//! made by the task or thread itself.

use super::{Scope, ScopeInner, guard};
use crate::sched::worker;
use crate::task::record::{Record, TaskId};
use crate::task::{self, TaskRef};
use core::marker::PhantomData;
use std::fmt;
use std::sync::atomic::Ordering;

impl Scope {
    /// Makes this the scope of the running task or thread until the guard is
    /// dropped: what it makes meanwhile is born here. The guard restores the
    /// scope that was there before.
    pub fn enter(&self) -> Entered {
        let task = task::current();
        let before = Scope::handle(task.record().scope());
        self.inner.meet(before.inner);
        switch(task.record(), self.inner);
        Entered {
            task,
            id: task.id(),
            before,
            home: None,
            _here: self.clone(),
            _not_send: PhantomData,
        }
    }

    /// Like [`enter`](Self::enter), and the running task itself belongs to the
    /// scope until the guard is dropped: so a check that runs in a task steps
    /// out of what it checks. A thread only enters.
    ///
    /// ```
    /// let aside = gopark::Scope::new("aside");
    /// let live = gopark::go(move || {
    ///     let _moved = aside.move_in();
    ///     aside.live()
    /// });
    /// assert_eq!(live.join().unwrap(), 1);
    /// ```
    pub fn move_in(&self) -> Entered {
        let mut entered = self.enter();
        if let Some(task) = task::running() {
            entered.home = Some(Scope::handle(task.record().home()));
            rehome(task, self.inner);
        }
        entered
    }
}

/// Restores the former scope when dropped; made by [`Scope::enter`].
#[must_use = "the scope is left when this is dropped"]
pub struct Entered {
    task: TaskRef,
    id: TaskId,
    before: Scope,
    /// The task's home, if it moved.
    home: Option<Scope>,
    _here: Scope,
    _not_send: PhantomData<*mut ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        // A guard that outlived its task has nothing to restore.
        if task::current().record().id() != self.id {
            return;
        }
        if let Some(home) = &self.home {
            rehome(self.task, home.inner);
        }
        switch(self.task.record(), self.before.inner);
    }
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered").field("before", &self.before).finish()
    }
}

/// The running task or thread is in another scope from now on. Its record keeps
/// a handle to a scope that is not its home, so that the scope is not used again
/// under it, whatever becomes of the guards.
fn switch(record: &'static Record, to: &'static ScopeInner) {
    let from = record.scope();
    hold(record, to);
    record.set_scope(to);
    let_go(record, from);
}

/// Counts the record's handle to a scope that is not its home.
fn hold(record: &Record, scope: &'static ScopeInner) {
    if !core::ptr::eq(scope, record.home()) {
        std::mem::forget(Scope::handle(scope));
    }
}

/// Gives up what [`hold`] counted.
fn let_go(record: &Record, scope: &'static ScopeInner) {
    if !core::ptr::eq(scope, record.home()) {
        drop(Scope { inner: scope });
    }
}

/// The running task moves to another home: it dies in the one and is born in
/// the other, which first.
fn rehome(task: TaskRef, to: &'static ScopeInner) {
    let from = task.record().home();
    worker::with_processor(|here| to.count_birth(here.map(|p| p.id)));
    let at = task.record().scope();
    // What counts as a handle of the record depends on its home.
    let kept = Scope::handle(at);
    let_go(task.record(), at);
    task.record().set_home(to);
    hold(task.record(), at);
    drop(kept);
    worker::with_processor(|here| from.count_death(here.map(|p| p.id)));
    from.notify();
}

/// The thread runs a test: it is in a new scope of that name from now on, for as long
/// as it has its record.
pub(in crate::task) fn enter_test(record: &'static Record, name: &str) {
    let scope = Scope::handle(ScopeInner::open(name.to_owned()));
    scope.inner.of_test.store(true, Ordering::Relaxed);
    switch(record, scope.inner);
}

/// The test that the thread was made for, if it is in that one's scope.
pub(in crate::task) fn test_of(record: &Record) -> Option<String> {
    let scope = record.scope();
    // A thread that the test has made is at home there.
    let of_test = scope.of_test.load(Ordering::Relaxed);
    let its_own = of_test && !core::ptr::eq(scope, record.home());
    its_own.then(|| guard(&scope.name).clone())
}

/// A task or thread ends, wherever it is.
#[inline]
pub(crate) fn leave_all(record: &'static Record) {
    if !core::ptr::eq(record.scope(), record.home()) {
        switch(record, record.home());
    }
}
