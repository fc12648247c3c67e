//! Where the program is loaded, so that an address can be looked up in its file
//! afterwards: [`Program`] takes no lock and allocates nothing (H1). And where its
//! libraries are, and the unwind tables of all of them.

use core::ffi::CStr;
use core::slice;
use std::io;

/// The main program in memory. Libraries are not in it.
pub(crate) struct Program {
    /// Lies this much higher in memory than in its file.
    bias: usize,
    headers: &'static [libc::Elf64_Phdr],
}

impl Program {
    pub(crate) fn new() -> Option<Program> {
        // SAFETY: getauxval takes a number; the kernel says where the program
        // headers are, how many of them, and they stay there.
        let headers = unsafe {
            let first = libc::getauxval(libc::AT_PHDR) as usize;
            let count = libc::getauxval(libc::AT_PHNUM) as usize;
            if first == 0 {
                return None;
            }
            slice::from_raw_parts(
                core::ptr::with_exposed_provenance::<libc::Elf64_Phdr>(first),
                count,
            )
        };
        // A program without this header is not moved.
        let own = headers.iter().find(|header| header.p_type == libc::PT_PHDR);
        let bias = own.map_or(0, |own| headers.as_ptr().addr().wrapping_sub(own.p_vaddr as usize));
        Some(Program { bias, headers })
    }

    /// What the program's file calls this address of code.
    pub(crate) fn in_file(&self, address: usize) -> Option<usize> {
        let wanted = address.wrapping_sub(self.bias) as u64;
        let is_code = |header: &libc::Elf64_Phdr| {
            header.p_type == libc::PT_LOAD
                && header.p_flags & libc::PF_X != 0
                && (header.p_vaddr..header.p_vaddr + header.p_memsz).contains(&wanted)
        };
        self.headers.iter().any(is_code).then_some(wanted as usize)
    }

    /// What the program was started as.
    pub(crate) fn path() -> Option<&'static str> {
        // SAFETY: getauxval takes a number; the kernel's string stays.
        unsafe {
            let path = libc::getauxval(libc::AT_EXECFN) as usize;
            let path = core::ptr::with_exposed_provenance::<libc::c_char>(path);
            if path.is_null() { None } else { CStr::from_ptr(path).to_str().ok() }
        }
    }
}

/// Ends the process at once. Handlers of exit(3) are not run: they would wait for those
/// who wait.
pub(crate) fn end(status: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(status) }
}

/// Writes to stderr without a lock of std's, which somebody may hold who does not run.
pub(crate) fn say(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the kernel reads so many bytes.
        let written = unsafe { libc::write(2, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(written) {
            Ok(written) => bytes = &bytes[written..],
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// The program or a library, as the loader lists it; while that keeps it loaded.
pub(crate) struct Library<'a> {
    bias: u64,
    headers: &'a [libc::Elf64_Phdr],
    /// The program itself, which is never unloaded.
    main: bool,
}

/// Calls `f` for the program and every library, unless none was loaded or unloaded since
/// the counts in `seen`. Returns the counts. The loader's lock is held meanwhile.
pub(crate) fn libraries<F: FnMut(&Library<'_>)>(
    seen: Option<(u64, u64)>,
    f: F,
) -> Option<(u64, u64)> {
    struct State<F> {
        seen: Option<(u64, u64)>,
        now: Option<(u64, u64)>,
        f: F,
    }
    /// # Safety
    /// Called by the loader, with the `State<F>` that it was given.
    unsafe extern "C" fn each<F: FnMut(&Library<'_>)>(
        info: *mut libc::dl_phdr_info,
        size: usize,
        state: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: what libraries() gave; nobody else uses it meanwhile.
        let state = unsafe { &mut *state.cast::<State<F>>() };
        // SAFETY: the loader passes a description, of at least the size it says.
        let info = unsafe { &*info };
        let main = state.now.is_none();
        // The counts are at its end, and not every loader has them.
        let counts = size >= size_of::<libc::dl_phdr_info>();
        let now = if counts { (info.dlpi_adds, info.dlpi_subs) } else { (u64::MAX, 0) };
        if main {
            state.now = Some(now);
            if counts && state.seen == state.now {
                return 1;
            }
        }
        // SAFETY: the loader's array, which stays until we return.
        let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        (state.f)(&Library { bias: info.dlpi_addr, headers, main });
        0
    }
    let mut state = State { seen, now: None, f };
    // SAFETY: `each` takes a State<F>, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(each::<F>), (&raw mut state).cast()) };
    state.now
}

impl Library<'_> {
    /// Lies this much higher in memory than in its file.
    pub(crate) fn bias(&self) -> u64 {
        self.bias
    }

    fn loaded(&self) -> impl Iterator<Item = &libc::Elf64_Phdr> {
        self.headers.iter().filter(|header| header.p_type == libc::PT_LOAD)
    }

    /// Where it is in memory.
    pub(crate) fn addresses(&self) -> Option<core::ops::Range<u64>> {
        let low = self.loaded().map(|header| header.p_vaddr).min()?;
        let end = self.loaded().map(|header| header.p_vaddr + header.p_memsz).max()?;
        Some(self.bias + low..self.bias + end)
    }

    /// The index of its unwind tables (`.eh_frame_hdr`), and its address in the file.
    pub(crate) fn unwind_header(&self) -> Option<(u64, &[u8])> {
        let header = self.headers.iter().find(|header| header.p_type == libc::PT_GNU_EH_FRAME)?;
        Some((header.p_vaddr, self.bytes(header.p_vaddr, header.p_vaddr + header.p_memsz)?))
    }

    /// Its unwind tables (`.eh_frame`) and what follows them in their segment, and their
    /// address in the file.
    pub(crate) fn unwind_frames(&self) -> Option<(u64, &[u8])> {
        /// A signed number of four bytes, counted from its own place: what linkers write.
        const HERE_AND_SIGNED: u8 = 0x1b;
        let (at, header) = self.unwind_header()?;
        let &[1, HERE_AND_SIGNED, _, _, a, b, c, d, ..] = header else { return None };
        let distance = i32::from_le_bytes([a, b, c, d]);
        let start = (at + 4).checked_add_signed(distance.into())?;
        let end = |header: &libc::Elf64_Phdr| header.p_vaddr + header.p_filesz;
        let around = self.loaded().find(|it| (it.p_vaddr..end(it)).contains(&start))?;
        Some((start, self.bytes(start, end(around))?))
    }

    /// Bytes that the file has at these addresses.
    fn bytes(&self, start: u64, end: u64) -> Option<&[u8]> {
        let around = |header: &&libc::Elf64_Phdr| {
            header.p_flags & libc::PF_R != 0
                && header.p_vaddr <= start
                && start <= end
                && end <= header.p_vaddr + header.p_filesz
        };
        self.loaded().find(around)?;
        let first = core::ptr::with_exposed_provenance::<u8>((self.bias + start) as usize);
        // SAFETY: mapped, readable and not written: a part of a segment that is loaded.
        Some(unsafe { slice::from_raw_parts(first, (end - start) as usize) })
    }

    /// The same bytes, if they stay as long as the process.
    pub(crate) fn stays(&self, bytes: &[u8]) -> Option<&'static [u8]> {
        // SAFETY: the program itself is never unloaded.
        self.main.then(|| unsafe { slice::from_raw_parts(bytes.as_ptr(), bytes.len()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_in_the_program_and_data_is_not() {
        let program = Program::new().unwrap();
        let here = code_is_in_the_program_and_data_is_not as *const () as usize;
        let in_file = program.in_file(here).unwrap();
        // The first page of a file is headers, and no program is this large.
        assert!((1..1 << 32).contains(&in_file), "{in_file:x}");
        assert_eq!(program.in_file((&raw const in_file).addr()), None);
        assert!(Program::path().is_some_and(|path| path.contains("gopark")));
    }
}
