//! Address space: reserve it, guard it, give its pages back.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// `MADV_GUARD_INSTALL`, Linux 6.13: pages that fault, without a mapping of
/// their own.
const MADV_GUARD_INSTALL: libc::c_int = 102;

/// Whether the kernel knows guard pages; cleared at the first refusal.
static GUARD_PAGES: AtomicBool = AtomicBool::new(true);

/// Reserves `len` bytes that the kernel backs page by page as they are touched.
pub(crate) fn reserve(len: usize) -> io::Result<*mut u8> {
    // SAFETY: an anonymous mapping at an address of the kernel's choice
    // disturbs nothing that exists.
    let base = unsafe {
        libc::mmap(
            core::ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    #[cfg(target_os = "linux")]
    // SAFETY: the range was mapped above and belongs to us. Both are hints: a
    // kernel without huge pages or core dumps refuses, and nothing changes.
    unsafe {
        libc::madvise(base, len, libc::MADV_NOHUGEPAGE);
        libc::madvise(base, len, libc::MADV_DONTDUMP);
    }
    Ok(base.cast())
}

/// Makes every access to the range fault.
///
/// # Safety
/// The range is page-aligned, inside one reservation, and nothing uses it.
pub(crate) unsafe fn guard(base: *mut u8, len: usize) -> io::Result<()> {
    // ORDERING: Relaxed; a stale `true` costs one refused call.
    if GUARD_PAGES.load(Ordering::Relaxed) {
        // SAFETY: by contract nothing uses the range.
        if unsafe { libc::madvise(base.cast(), len, MADV_GUARD_INSTALL) } == 0 {
            return Ok(());
        }
        GUARD_PAGES.store(false, Ordering::Relaxed);
    }
    // SAFETY: by contract nothing uses the range.
    if unsafe { libc::mprotect(base.cast(), len, libc::PROT_NONE) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Gives the pages of the range back; they read as zero when touched again.
///
/// # Safety
/// The range is page-aligned, inside one reservation, and nobody needs its
/// contents.
pub(crate) unsafe fn give_back(base: *mut u8, len: usize) {
    // SAFETY: by contract the contents are not needed.
    unsafe { libc::madvise(base.cast(), len, libc::MADV_DONTNEED) };
}
