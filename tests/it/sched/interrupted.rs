//! What a task that was suspended finds as it was: its thread, `errno`, registers.

use super::{Hog, ONE_BRIEF, migrate, status};
use crate::child::{alone, here};
use crate::support::{thread_id, until};
use gopark::inspect::Status;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs the body in two tasks at once, both of which are suspended some times before
/// they are told to end.
#[track_caller]
fn two_at_once(body: fn(&AtomicBool, u64)) {
    let over = Arc::new(AtomicBool::new(false));
    let tasks = [1, 2].map(|n| {
        let over = over.clone();
        gopark::go(move || body(&over, n))
    });
    for _ in 0..20 {
        for task in &tasks {
            // One that has failed has ended.
            until("it is suspended", || {
                task.is_finished() || status(task.id()) == Some(Status::Preempted)
            });
        }
    }
    over.store(true, Ordering::SeqCst);
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

#[test]
fn its_thread() {
    alone(here!(), &[("GOPARK_SLICE", "1ms")], || {
        migrate(1);
        two_at_once(|over, _| {
            let at = thread_id();
            super::spin(over);
            assert_eq!(thread_id(), at);
        });
    });
}

#[expect(unsafe_code, reason = "errno")]
fn errno() -> &'static mut libc::c_int {
    // SAFETY: the calling thread's, and nobody else's.
    unsafe { &mut *libc::__errno_location() }
}

/// The handler makes system calls, and so do others meanwhile.
#[test]
fn errno_stays() {
    alone(here!(), ONE_BRIEF, || {
        two_at_once(|over, n| {
            let mine = 70 + n as libc::c_int;
            *errno() = mine;
            while !over.load(Ordering::Relaxed) {
                assert_eq!(*errno(), mine);
            }
        });
    });
}

/// Loads all registers with values of the task's own, computes for long without a
/// call, and looks at them.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "all registers of the processor")]
mod registers {
    use std::arch::asm;

    /// Turns of an empty loop: some hundred microseconds.
    const TURNS: u64 = 300_000;

    #[repr(align(64))]
    pub(super) struct Bytes<const N: usize>(pub(super) [u8; N]);

    impl<const N: usize> Bytes<N> {
        /// No two places hold the same for long.
        pub(super) fn of(seed: u64) -> Bytes<N> {
            let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            Bytes(std::array::from_fn(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            }))
        }

        pub(super) fn zero() -> Bytes<N> {
            Bytes([0; N])
        }
    }

    pub(super) fn general(seed: u64) {
        let want = Bytes::<{ 8 * 8 }>::of(seed);
        let mut got = Bytes::<{ 8 * 8 }>::zero();
        // SAFETY: reads and writes the two arrays only.
        unsafe {
            asm!(
                "mov r8, [{want}]", "mov r9, [{want} + 8]", "mov r10, [{want} + 16]",
                "mov r11, [{want} + 24]", "mov r12, [{want} + 32]", "mov r13, [{want} + 40]",
                "mov r14, [{want} + 48]", "mov r15, [{want} + 56]",
                // Flags too: the carry lives through the loop.
                "stc",
                "2:", "dec {turns}", "jnz 2b",
                "jnc 3f",
                "mov [{got}], r8", "mov [{got} + 8], r9", "mov [{got} + 16], r10",
                "mov [{got} + 24], r11", "mov [{got} + 32], r12", "mov [{got} + 40], r13",
                "mov [{got} + 48], r14", "mov [{got} + 56], r15",
                "3:",
                want = in(reg) want.0.as_ptr(),
                got = in(reg) got.0.as_mut_ptr(),
                turns = inout(reg) TURNS => _,
                out("r8") _, out("r9") _, out("r10") _, out("r11") _,
                out("r12") _, out("r13") _, out("r14") _, out("r15") _,
                options(nostack),
            );
        }
        assert!(want.0 == got.0, "a general register has changed");
    }

    macro_rules! vectors {
        ($name:ident, $features:literal, $move:literal, $register:literal, $width:literal, $($n:literal)*; $($more:tt)*) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name(seed: u64) {
                const COUNT: usize = [$($n),*].len();
                let want = Bytes::<{ COUNT * $width }>::of(seed);
                let mut got = Bytes::<{ COUNT * $width }>::zero();
                // SAFETY: reads and writes the two arrays only.
                unsafe {
                    asm!(
                        $(concat!($move, " ", $register, $n, ", [{want} + ", $n, "*", $width, "]"),)*
                        "2:", "dec {turns}", "jnz 2b",
                        $(concat!($move, " [{got} + ", $n, "*", $width, "], ", $register, $n),)*
                        want = in(reg) want.0.as_ptr(),
                        got = in(reg) got.0.as_mut_ptr(),
                        turns = inout(reg) TURNS => _,
                        $($more)*
                        options(nostack),
                    );
                }
                assert!(want.0 == got.0, "a vector register has changed");
            }
        };
    }

    vectors!(sse, "sse2", "movaps", "xmm", 16, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15;
        out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _,
        out("xmm5") _, out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _,
        out("xmm10") _, out("xmm11") _, out("xmm12") _, out("xmm13") _, out("xmm14") _,
        out("xmm15") _,);
    vectors!(avx2, "avx2", "vmovaps", "ymm", 32, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15;
        out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _, out("ymm4") _,
        out("ymm5") _, out("ymm6") _, out("ymm7") _, out("ymm8") _, out("ymm9") _,
        out("ymm10") _, out("ymm11") _, out("ymm12") _, out("ymm13") _, out("ymm14") _,
        out("ymm15") _,);
    vectors!(avx512, "avx512f", "vmovaps", "zmm", 64,
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
        16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31;
        out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _,
        out("zmm5") _, out("zmm6") _, out("zmm7") _, out("zmm8") _, out("zmm9") _,
        out("zmm10") _, out("zmm11") _, out("zmm12") _, out("zmm13") _, out("zmm14") _,
        out("zmm15") _, out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _,
        out("zmm20") _, out("zmm21") _, out("zmm22") _, out("zmm23") _, out("zmm24") _,
        out("zmm25") _, out("zmm26") _, out("zmm27") _, out("zmm28") _, out("zmm29") _,
        out("zmm30") _, out("zmm31") _,);

    /// The mask registers of AVX-512.
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn masks(seed: u64) {
        let want = Bytes::<{ 7 * 8 }>::of(seed);
        let mut got = Bytes::<{ 7 * 8 }>::zero();
        // SAFETY: reads and writes the two arrays only.
        unsafe {
            asm!(
                "kmovq k1, [{want}]", "kmovq k2, [{want} + 8]", "kmovq k3, [{want} + 16]",
                "kmovq k4, [{want} + 24]", "kmovq k5, [{want} + 32]", "kmovq k6, [{want} + 40]",
                "kmovq k7, [{want} + 48]",
                "2:", "dec {turns}", "jnz 2b",
                "kmovq [{got}], k1", "kmovq [{got} + 8], k2", "kmovq [{got} + 16], k3",
                "kmovq [{got} + 24], k4", "kmovq [{got} + 32], k5", "kmovq [{got} + 40], k6",
                "kmovq [{got} + 48], k7",
                want = in(reg) want.0.as_ptr(),
                got = in(reg) got.0.as_mut_ptr(),
                turns = inout(reg) TURNS => _,
                out("k1") _, out("k2") _, out("k3") _, out("k4") _, out("k5") _,
                out("k6") _, out("k7") _,
                options(nostack),
            );
        }
        assert!(want.0 == got.0, "a mask register has changed");
    }

    /// Numbers of the old unit, which live on its stack.
    pub(super) fn x87(seed: u64) {
        let want = [seed as f64, 1.5 * seed as f64];
        let mut got = [0.0_f64; 2];
        // SAFETY: reads and writes the two arrays only, and leaves its stack empty.
        unsafe {
            asm!(
                "fld qword ptr [{want}]", "fld qword ptr [{want} + 8]",
                "2:", "dec {turns}", "jnz 2b",
                "fstp qword ptr [{got} + 8]", "fstp qword ptr [{got}]",
                want = in(reg) want.as_ptr(),
                got = in(reg) got.as_mut_ptr(),
                turns = inout(reg) TURNS => _,
                out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
                options(nostack),
            );
        }
        assert_eq!(want, got, "a register of the old unit has changed");
    }

    /// All that the CPU has.
    pub(super) fn all(seed: u64) {
        general(seed);
        x87(seed);
        // SAFETY: each is called only where the CPU has what it needs.
        unsafe {
            sse(seed);
            if is_x86_feature_detected!("avx2") {
                avx2(seed);
            }
            if is_x86_feature_detected!("avx512f") {
                avx512(seed);
            }
            if is_x86_feature_detected!("avx512bw") {
                masks(seed);
            }
        }
    }
}

/// The other one fills them with other values meanwhile.
#[cfg(target_arch = "x86_64")]
#[test]
fn registers_stay() {
    alone(here!(), ONE_BRIEF, || {
        two_at_once(|over, n| {
            let mut seed = n;
            while !over.load(Ordering::Relaxed) {
                registers::all(seed);
                seed += 2;
            }
        });
    });
}

/// Sums that are kept in registers of whatever kind the compiler likes.
#[test]
fn sums_are_right() {
    alone(here!(), ONE_BRIEF, || {
        two_at_once(|over, n| {
            let sum = || {
                let numbers = (0..20_000_u32).map(|i| f64::from(i ^ n as u32).sqrt());
                numbers.fold((0.0, 1_u64), |(sum, hash), x| {
                    (sum + x, hash.wrapping_mul(31).wrapping_add(x.to_bits()))
                })
            };
            let first = sum();
            while !over.load(Ordering::Relaxed) {
                assert_eq!(sum(), first);
            }
        });
        Hog::new().end();
    });
}
