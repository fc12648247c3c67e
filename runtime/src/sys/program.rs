//! Where the program is loaded, so that an address can be looked up in its file
//! afterwards. Takes no lock and allocates nothing (H1).

use core::ffi::CStr;
use core::slice;

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
