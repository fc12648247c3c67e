//! Address space: reserve it, guard it, see what backs it, give its pages back.

use super::limits;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// `MADV_GUARD_INSTALL`, Linux 6.13: pages that fault, without a mapping of
/// their own.
const MADV_GUARD_INSTALL: libc::c_int = 102;

/// Bytes of a page. The runtime's targets have no other.
pub(crate) const PAGE: usize = 4096;

/// Whether the kernel knows guard pages. Set once, before the first reservation.
static GUARD_PAGES: AtomicBool = AtomicBool::new(false);

/// Asks the kernel whether it knows guard pages, if they are `allowed`.
pub(crate) fn init(allowed: bool) {
    let has = allowed
        && map(PAGE).is_ok_and(|page| {
            // SAFETY: the page was mapped just now, and nobody else knows it.
            unsafe {
                let has = madvise(page, PAGE, MADV_GUARD_INSTALL).is_ok();
                libc::munmap(page.cast(), PAGE);
                has
            }
        });
    GUARD_PAGES.store(has, Ordering::Relaxed);
}

pub(crate) fn has_guard_pages() -> bool {
    GUARD_PAGES.load(Ordering::Relaxed)
}

/// Reserves `len` bytes that the kernel backs page by page as they are touched.
///
/// A process that locks its future memory (`mlockall`) would get every page of
/// it at once. So the range is mapped without access first, where the kernel
/// has nothing to lock into memory, and unlocked before it becomes usable.
///
/// [`HEADROOM`] is left to others. It is asked for and not tried out, because
/// what is tried out nobody else has meanwhile.
pub(crate) fn reserve(len: usize) -> io::Result<*mut u8> {
    if limits::left().is_some_and(|kib| kib < ((len + HEADROOM) >> 10) as u64) {
        // What the kernel would say later.
        return Err(io::Error::from_raw_os_error(libc::ENOMEM));
    }
    let base = map(len)?;
    // SAFETY: the range was mapped above and belongs to us. The advices are
    // hints: a kernel without huge pages or core dumps refuses, and nothing
    // changes.
    unsafe {
        let _ = madvise(base, len, libc::MADV_NOHUGEPAGE);
        #[cfg(target_os = "linux")]
        let _ = madvise(base, len, libc::MADV_DONTDUMP);
        // Refused for locked ranges, and nothing is there to lose.
        if madvise(base, len, libc::MADV_DONTNEED).is_err() {
            unlock(base, len);
        }
        if libc::mprotect(base.cast(), len, libc::PROT_READ | libc::PROT_WRITE) != 0 {
            let error = io::Error::last_os_error();
            release(base, len);
            return Err(error);
        }
    }
    Ok(base)
}

/// Address space that stacks leave to threads and to the allocator: where it
/// runs out, it is `go` that has an error, and not a program that aborts because
/// a worker or a vector finds nothing any more. Less than the 64 MiB that glibc
/// would take of it at once for a thread's heap; without them the heap is shared.
const HEADROOM: usize = 48 << 20;

/// Gives address space back.
///
/// # Safety
/// The range is page-aligned, inside one reservation, and nobody knows it.
pub(crate) unsafe fn release(base: *mut u8, len: usize) {
    // A refusal costs address space, nothing else.
    // SAFETY: by contract nobody uses the range.
    unsafe { libc::munmap(base.cast(), len) };
}

/// Maps `len` bytes without access.
fn map(len: usize) -> io::Result<*mut u8> {
    // SAFETY: an anonymous mapping at an address of the kernel's choice
    // disturbs nothing that exists.
    let base = unsafe {
        libc::mmap(
            core::ptr::null_mut(),
            len,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if base == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(base.cast()) }
}

/// # Safety
/// As the advice demands.
unsafe fn madvise(base: *mut u8, len: usize, advice: libc::c_int) -> io::Result<()> {
    // SAFETY: by contract.
    let rc = unsafe { libc::madvise(base.cast(), len, advice) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes a range out of what `mlockall` locks, and says so once.
fn unlock(base: *mut u8, len: usize) {
    static SAID: AtomicBool = AtomicBool::new(false);
    // SAFETY: whether a page may be swapped changes nothing that it holds.
    let rc = unsafe { libc::munlock(base.cast(), len) };
    if rc == 0 && !SAID.swap(true, Ordering::Relaxed) {
        super::warn(
            "this process locks its memory (mlockall); stacks of tasks are left \
             unlocked, because locked ones would take all that is reserved for them",
        );
    }
}

/// Makes every access to the range fault.
///
/// # Safety
/// The range is page-aligned, inside one reservation, and nothing uses it.
pub(crate) unsafe fn guard(base: *mut u8, len: usize) -> io::Result<()> {
    if has_guard_pages() {
        // SAFETY: by contract nothing uses the range.
        if unsafe { advise_unlocked(base, len, MADV_GUARD_INSTALL) }.is_ok() {
            return Ok(());
        }
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
/// The range is page-aligned, inside reservations, and nobody needs its
/// contents.
pub(crate) unsafe fn give_back(base: *mut u8, len: usize) {
    // A refusal costs memory, nothing else.
    // SAFETY: by contract the contents are not needed.
    let _ = unsafe { advise_unlocked(base, len, libc::MADV_DONTNEED) };
}

/// An advice that the kernel refuses for locked memory: `mlockall` may have been
/// called after the range was reserved.
///
/// # Safety
/// As the advice demands.
unsafe fn advise_unlocked(base: *mut u8, len: usize, advice: libc::c_int) -> io::Result<()> {
    // SAFETY: by contract, here and below.
    let first = unsafe { madvise(base, len, advice) };
    if !first.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::EINVAL)) {
        return first;
    }
    unlock(base, len);
    // SAFETY: as above.
    unsafe { madvise(base, len, advice) }
}

/// Pages that one question to the kernel is about.
const PAGES: usize = 1024;

/// The lowest address in the range whose page is resident. Guards and pages that
/// were only read, which the kernel backs with its one zero page, may count or
/// not; swapped pages do not.
///
/// The low end of the range may not be mapped: the search begins at the other
/// one and ends there.
#[inline(never)]
pub(crate) fn lowest_resident(range: core::ops::Range<usize>) -> Option<usize> {
    let mut states = [0; PAGES];
    let (mut most, mut end, mut lowest) = (PAGES, range.end, None);
    while end > range.start {
        let count = most.min((end - range.start) / PAGE);
        let from = end - count * PAGE;
        match ask(from, end, &mut states) {
            Some(pages) => {
                if let Some(n) = pages.iter().position(|page| page & 1 != 0) {
                    lowest = Some(from + n * PAGE);
                }
                end = from;
            }
            None if count == 1 => break,
            // Some of these are not mapped: come closer.
            None => most = count / 2,
        }
    }
    lowest
}

/// Bytes of the range that are resident.
pub(crate) fn resident(range: core::ops::Range<usize>) -> usize {
    let count = |from| {
        let mut pages = [0; PAGES];
        let pages = ask(from, range.end, &mut pages).unwrap_or_default();
        pages.iter().filter(|page| **page & 1 != 0).count()
    };
    range.clone().step_by(PAGES * PAGE).map(count).sum::<usize>() * PAGE
}

/// Is something mapped at this page?
pub(crate) fn is_mapped(page: usize) -> bool {
    ask(page, page + PAGE, &mut [0; PAGES]).is_some()
}

/// Asks for the pages from `from` up to `end`, as many as fit. `None`: not all of
/// them are mapped.
fn ask(from: usize, end: usize, pages: &mut [u8; PAGES]) -> Option<&[u8]> {
    let count = PAGES.min((end - from) / PAGE);
    let base = core::ptr::without_provenance_mut(from);
    // SAFETY: the kernel looks at the page table and writes a byte for each
    // page; a range that is not mapped is an error.
    let rc = unsafe { libc::mincore(base, count * PAGE, pages.as_mut_ptr()) };
    (rc == 0).then(|| &pages[..count])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: usize = 3 * PAGES + 100;

    fn reserved() -> *mut u8 {
        reserve(LEN * PAGE).expect("address space")
    }

    fn lowest(base: *mut u8) -> Option<usize> {
        let low = base.addr();
        lowest_resident(low..low + LEN * PAGE).map(|at| (at - low) / PAGE)
    }

    fn touch(base: *mut u8, n: usize) {
        // SAFETY: a page of the reservation above.
        unsafe { base.add(n * PAGE).write_volatile(1) };
    }

    #[test]
    fn the_lowest_page_is_found_in_any_chunk() {
        let base = reserved();
        assert_eq!(lowest(base), None);
        for n in [LEN - 1, LEN - 50, LEN - PAGES, LEN - PAGES - 1, 101, 100, 99, 1, 0] {
            touch(base, n);
            assert_eq!(lowest(base), Some(n));
        }
    }

    #[test]
    fn pages_that_were_given_back_are_not_resident() {
        let base = reserved();
        touch(base, 7);
        touch(base, 2000);
        // SAFETY: a part of the reservation that nobody reads.
        unsafe { give_back(base, 1900 * PAGE) };
        assert_eq!(lowest(base), Some(2000));
        // SAFETY: as above.
        unsafe { give_back(base.add(1900 * PAGE), 200 * PAGE) };
        assert_eq!(lowest(base), None);
    }
}
