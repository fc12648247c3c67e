//! An asymmetric store-load barrier.
//!
//! A task that parks stores its state and then asks whether somebody watches
//! its scope; a watcher stores "I watch" and then reads the states. Both need
//! the store to be visible before the load. Tasks park millions of times for
//! every time a watcher comes, so the price is moved: [`light`] only stops the
//! compiler, and [`heavy`] makes the kernel run a full barrier on every thread
//! of the process (`membarrier(2)`, Linux 4.14). Where the kernel refuses,
//! `light` is a full fence and `heavy` is one too.

#[cfg(not(loom))]
pub(crate) use real::{heavy, init, light};

/// Under loom both are full fences, which is what they amount to.
#[cfg(loom)]
pub(crate) fn light() {
    // ORDERING: SeqCst; pairs with heavy().
    loom::sync::atomic::fence(loom::sync::atomic::Ordering::SeqCst);
}
#[cfg(loom)]
pub(crate) use light as heavy;

#[cfg(not(loom))]
mod real {
    use core::sync::atomic::{AtomicU32, Ordering, compiler_fence, fence};

    const UNKNOWN: u32 = 0;
    const KERNEL: u32 = 1;
    const FENCES: u32 = 2;

    /// Which of the two protocols runs; set once before the first task.
    static MODE: AtomicU32 = AtomicU32::new(UNKNOWN);

    #[cfg(target_os = "linux")]
    mod cmd {
        pub(super) const PRIVATE_EXPEDITED: libc::c_int = 8;
        pub(super) const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 16;
    }

    /// Registers the process with the kernel. Called once, before workers exist.
    pub(crate) fn init() {
        let mode = if call_register() { KERNEL } else { FENCES };
        // ORDERING: Relaxed; threads that park are created after this store.
        MODE.store(mode, Ordering::Relaxed);
    }

    /// The cheap side: orders an earlier store before a later load, given that the
    /// other side calls [`heavy`] between its own store and load.
    #[inline(always)]
    pub(crate) fn light() {
        // ORDERING: Relaxed; written before any thread that reads it exists.
        if MODE.load(Ordering::Relaxed) == KERNEL {
            compiler_fence(Ordering::SeqCst);
        } else {
            // ORDERING: SeqCst; pairs with the fence in heavy().
            fence(Ordering::SeqCst);
        }
    }

    /// The dear side: a few microseconds.
    pub(crate) fn heavy() {
        if MODE.load(Ordering::Relaxed) == UNKNOWN {
            // A lock can be contended before the runtime starts.
            init();
        }
        // ORDERING: SeqCst; pairs with the fence in light() where the kernel helps not.
        fence(Ordering::SeqCst);
        if MODE.load(Ordering::Relaxed) == KERNEL {
            call_barrier();
        }
    }

    #[cfg(target_os = "linux")]
    fn call_register() -> bool {
        // SAFETY: membarrier takes three integers and touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, cmd::REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0 }
    }

    #[cfg(target_os = "linux")]
    fn call_barrier() {
        // SAFETY: as in call_register.
        let rc = unsafe { libc::syscall(libc::SYS_membarrier, cmd::PRIVATE_EXPEDITED, 0, 0) };
        assert_eq!(rc, 0, "membarrier was registered and then refused");
    }

    #[cfg(not(target_os = "linux"))]
    fn call_register() -> bool {
        false
    }

    #[cfg(not(target_os = "linux"))]
    fn call_barrier() {}
}
