//! Why a task is parked, in Go's words.

/// Why a task is parked.
///
/// The strings are Go's (`runtime/runtime2.go`, `waitReasonStrings`), so that
/// Go's tools group them; `join`, `offload`, `block_on`, `sync.Once.Do`,
/// `sync.Semaphore.Acquire` and `sync.Barrier.Wait` have no counterpart there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum WaitReason {
    /// A receive from a channel that is never ready (Go: nil channel).
    ChanReceiveNil,
    /// A send to a channel that is never ready (Go: nil channel).
    ChanSendNil,
    /// A receive from a channel.
    ChanReceive,
    /// A send to a channel.
    ChanSend,
    /// A lock held by somebody else.
    MutexLock,
    /// A wait group that has not come down to zero.
    WaitGroupWait,
    /// To read what somebody else writes.
    RwLockRead,
    /// To write what others read or write.
    RwLockWrite,
    /// A condition that nobody has signalled.
    CondWait,
    /// An initialiser that another task runs.
    OnceDo,
    /// Permits of a semaphore.
    SemaphoreAcquire,
    /// A barrier at which not all have arrived.
    BarrierWait,
    /// A task that has not finished.
    Join,
    /// A timer.
    Sleep,
    /// A call that another thread makes for it ([`offload`](crate::offload)).
    Offload,
    /// A future that is not ready ([`block_on`](crate::block_on)).
    BlockOn,
    /// A future that is not ready, and whose waker nobody has.
    BlockOnAlone,
    /// Several channels at once ([`select!`](crate::select)).
    Select,
    /// A select that has nothing to wait for.
    SelectNoCases,
    /// A socket that is not ready ([`net`](crate::net)).
    IoWait,
}

impl WaitReason {
    pub(crate) const COUNT: usize = 20;

    pub(crate) const ALL: [WaitReason; WaitReason::COUNT] = [
        WaitReason::ChanReceiveNil,
        WaitReason::ChanSendNil,
        WaitReason::ChanReceive,
        WaitReason::ChanSend,
        WaitReason::MutexLock,
        WaitReason::WaitGroupWait,
        WaitReason::RwLockRead,
        WaitReason::RwLockWrite,
        WaitReason::CondWait,
        WaitReason::OnceDo,
        WaitReason::SemaphoreAcquire,
        WaitReason::BarrierWait,
        WaitReason::Join,
        WaitReason::Sleep,
        WaitReason::Offload,
        WaitReason::BlockOn,
        WaitReason::BlockOnAlone,
        WaitReason::Select,
        WaitReason::SelectNoCases,
        WaitReason::IoWait,
    ];

    /// The words that dumps print.
    ///
    /// ```
    /// assert_eq!(gopark::inspect::WaitReason::MutexLock.as_str(), "sync.Mutex.Lock");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            WaitReason::ChanReceiveNil => "chan receive (nil chan)",
            WaitReason::ChanSendNil => "chan send (nil chan)",
            WaitReason::ChanReceive => "chan receive",
            WaitReason::ChanSend => "chan send",
            WaitReason::MutexLock => "sync.Mutex.Lock",
            WaitReason::WaitGroupWait => "sync.WaitGroup.Wait",
            WaitReason::RwLockRead => "sync.RWMutex.RLock",
            WaitReason::RwLockWrite => "sync.RWMutex.Lock",
            WaitReason::CondWait => "sync.Cond.Wait",
            WaitReason::OnceDo => "sync.Once.Do",
            WaitReason::SemaphoreAcquire => "sync.Semaphore.Acquire",
            WaitReason::BarrierWait => "sync.Barrier.Wait",
            WaitReason::Join => "join",
            WaitReason::Sleep => "sleep",
            WaitReason::Offload => "offload",
            WaitReason::BlockOn | WaitReason::BlockOnAlone => "block_on",
            WaitReason::Select => "select",
            WaitReason::SelectNoCases => "select (no cases)",
            WaitReason::IoWait => "IO wait",
        }
    }

    /// Whether only another task or thread can end the wait. A sleeping task
    /// wakes by itself, so does one whose call returns, and one whose socket the
    /// kernel finds ready; a future may be woken by anybody who has its waker; one
    /// that waits on a channel does not.
    pub const fn durable(self) -> bool {
        !matches!(
            self,
            WaitReason::Sleep | WaitReason::Offload | WaitReason::BlockOn | WaitReason::IoWait
        )
    }

    /// Whether it is one for a lock, whose owner is known.
    pub(crate) const fn is_lock(self) -> bool {
        matches!(
            self,
            WaitReason::MutexLock
                | WaitReason::RwLockRead
                | WaitReason::RwLockWrite
                | WaitReason::OnceDo
        )
    }

    pub(crate) fn from_u8(n: u8) -> WaitReason {
        Self::ALL[n as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_table_agree() {
        for (n, reason) in WaitReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, n);
        }
    }
}
