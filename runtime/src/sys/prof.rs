//! A signal for each so much that a thread has computed, for profiles.
//!
//! Each thread of the process gets a timer on its own CPU clock, made from outside, so
//! threads that are none of ours are profiled too. The signal is SIGPROF, and the handler
//! that is installed for it stays: a signal that comes late must not end the process, which
//! is what SIGPROF does without one. Its frame is on the alternate stack where there is
//! one, and other signals, SIGURG too, wait until it is done: nobody is suspended in the
//! middle.

use super::section::Section;
use super::signal::{is_default, keep_errno, registers, waiting};
use super::tick::Timer;
use crate::arch::Registers;
use core::ptr;
use std::collections::HashMap;
use std::io;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

const SIGNAL: libc::c_int = libc::SIGPROF;

/// What has to be done at a signal: with the code that was interrupted, whether that was
/// outside of all sections, and how many periods have passed. It keeps H1: takes no lock,
/// allocates nothing.
pub(crate) type OnSample = fn(&Registers, bool, u64);

static ON_SAMPLE: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// Timers of threads. While it lives, `on_sample` is called.
pub(crate) struct Clocks {
    period: Duration,
    timers: HashMap<u32, Timer>,
}

impl Clocks {
    /// Of those that run now. One at a time: the caller sees to that.
    ///
    /// # Errors
    /// If the program handles SIGPROF itself.
    pub(crate) fn start(period: Duration, on_sample: OnSample) -> io::Result<Clocks> {
        install()?;
        ON_SAMPLE.store(on_sample as *const () as *mut (), Ordering::Relaxed);
        let mut clocks = Clocks { period, timers: HashMap::new() };
        clocks.look()?;
        Ok(clocks)
    }

    /// Also of those that have come since then.
    pub(crate) fn look(&mut self) -> io::Result<()> {
        let mut before = core::mem::take(&mut self.timers);
        for thread in std::fs::read_dir("/proc/self/task")? {
            let name = thread?.file_name();
            let Some(tid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            let timer = before.remove(&tid).or_else(|| {
                // It may just have ended, and where the kernel has no timers left there
                // is nothing to be done.
                let timer = Timer::of_thread(tid, SIGNAL).ok()?;
                timer.set(self.period);
                Some(timer)
            });
            self.timers.extend(timer.map(|timer| (tid, timer)));
        }
        Ok(())
    }
}

impl Drop for Clocks {
    fn drop(&mut self) {
        self.timers.clear();
        ON_SAMPLE.store(ptr::null_mut(), Ordering::Relaxed);
    }
}

fn install() -> io::Result<()> {
    static INSTALL: Once = Once::new();
    let mut taken = false;
    INSTALL.call_once(|| {
        taken = !is_default(SIGNAL);
        if taken {
            return;
        }
        // SAFETY: a zeroed sigaction is valid; `handler` has the SA_SIGINFO signature.
        unsafe {
            let mut action: libc::sigaction = core::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
            action.sa_mask = waiting();
            libc::sigaction(SIGNAL, &raw const action, ptr::null_mut());
        }
    });
    // Whoever handles it now, or has handled it then.
    if taken || !is_ours() {
        return Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            "the program handles SIGPROF itself",
        ));
    }
    Ok(())
}

fn is_ours() -> bool {
    // SAFETY: asks, and changes nothing; a zeroed sigaction is valid.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        libc::sigaction(SIGNAL, ptr::null(), &raw mut action);
        action.sa_sigaction == handler as *const () as usize
    }
}

extern "C" fn handler(_: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo, and a context that is this handler's.
    let (code, periods, at) = unsafe {
        let context = &*context.cast::<libc::ucontext_t>();
        // The number of a timer's periods that have passed unheard is behind its own number.
        let late = info.cast::<libc::c_int>().add(5).read();
        ((*info).si_code, 1 + u64::try_from(late).unwrap_or(0), registers(&context.uc_mcontext))
    };
    let on_sample = ON_SAMPLE.load(Ordering::Relaxed);
    if code != libc::SI_TIMER || on_sample.is_null() {
        return;
    }
    // SAFETY: null, or stored by start(), from such a function.
    let on_sample = unsafe { core::mem::transmute::<*mut (), OnSample>(on_sample) };
    keep_errno(|| {
        let outside = super::section::is_outside();
        let _section = Section::new();
        on_sample(&at, outside, periods);
    });
}

/// Copies words of this process to `to`, from `from` on: as many as are there. Needs no
/// knowledge of what is mapped.
pub(crate) fn copy_words(from: usize, to: &mut [usize]) -> usize {
    /// What is there ends with a page, so copies go by them.
    const PIECE: usize = super::mem::PAGE;
    let mut done = 0;
    while done < to.len() {
        let at = from + done * size_of::<usize>();
        let rest = &mut to[done..];
        let most = (PIECE - at % PIECE).min(size_of_val(rest));
        let into = libc::iovec { iov_base: rest.as_mut_ptr().cast(), iov_len: most };
        let out_of = libc::iovec { iov_base: core::ptr::without_provenance_mut(at), iov_len: most };
        // SAFETY: the kernel writes so many bytes at most to a slice of ours, and tells if
        // there is nothing to be read.
        let copied = unsafe {
            libc::process_vm_readv(libc::getpid(), &raw const into, 1, &raw const out_of, 1, 0)
        };
        let words = usize::try_from(copied).unwrap_or(0) / size_of::<usize>();
        if words == 0 {
            break;
        }
        done += words;
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_copied() {
        let words: Vec<usize> = (0..3000).collect();
        let mut copy = [0; 2000];
        assert_eq!(copy_words((&raw const words[500]).addr(), &mut copy), 2000);
        assert!(copy.iter().zip(500..).all(|(&copied, word)| copied == word));
        assert_eq!(copy_words(8, &mut copy), 0);
        let end = 1 << 62;
        assert_eq!(copy_words(end, &mut copy), 0);
    }
}
