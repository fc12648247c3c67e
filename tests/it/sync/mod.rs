//! Locks, conditions, groups and the rest of `gopark::sync`, from tasks, from OS
//! threads, and mixed: a file for each, with what happens to it when a task is reaped
//! or runs out of time inside.

mod barrier;
mod condvar;
mod group;
mod modes;
mod mutex;
mod once;
mod pool;
mod reaping;
mod rwlock;
mod scoped;
mod semaphore;
mod wait_group;

use gopark::{JoinHandle, Scope};

/// Starts a task in the scope.
#[track_caller]
fn go_in<F, T>(scope: &Scope, f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let _entered = scope.enter();
    gopark::go(f)
}

/// Runs a function when dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}

/// Does not compile if the type implements the trait: `_` is then ambiguous.
macro_rules! is_not {
    ($type:ty, $trait:path) => {
        const _: fn() = || {
            trait Ambiguous<A> {
                fn check() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            struct Other;
            impl<T: ?Sized + $trait> Ambiguous<Other> for T {}
            <$type as Ambiguous<_>>::check();
        };
    };
}
use is_not;
