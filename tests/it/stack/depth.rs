//! `remaining`, `high_water`: how much of a stack is left, and how much was used.

use crate::child::{alone, here};
use crate::stack::{KIB, MIB, PAGE, down_to, everywhere, use_up};
use gopark::stack::{default_limit, grow, high_water, remaining};
use std::hint::black_box;

/// The lowest usable address, found from how far it is away, and exactly how
/// far it is from a local variable.
#[inline(never)]
fn lowest() -> (usize, usize) {
    let local = black_box(0_u8);
    let remaining = remaining();
    let at = black_box(&raw const local).addr();
    ((at - remaining) & !(PAGE - 1), at - remaining)
}

#[test]
fn what_remains_is_counted_by_the_byte() {
    fn on_this_piece(usable: Option<usize>) {
        let (base, exact) = lowest();
        let mut deeper = Vec::new();
        for left in [48, 32, 16] {
            down_to(left * KIB, &mut || deeper.push(lowest()));
        }
        // The same frame of the same function stands at the same distance.
        assert_eq!(deeper, [(base, exact); 3]);
        if let Some(usable) = usable {
            let top = base + remaining();
            assert!(usable - 8 * KIB < top - base && top - base < usable, "{}", top - base);
        }
    }
    alone(here!(), &[], || {
        // The first thread: the system library gives later ones the stack of a
        // former one, which may be larger.
        let thread = std::thread::Builder::new().stack_size(MIB);
        thread.spawn(|| on_this_piece(Some(MIB))).unwrap().join().unwrap();
        std::thread::spawn(|| on_this_piece(None)).join().unwrap();
        gopark::go(|| on_this_piece(Some(default_limit()))).join().unwrap();
        everywhere(|| {
            for bytes in [64 * KIB, MIB] {
                grow(bytes, || on_this_piece(Some(bytes)));
            }
        });
    });
}

/// To the last kilobytes: a byte too many would fault.
#[test]
fn what_remains_is_there() {
    alone(here!(), &[], || {
        everywhere(|| {
            down_to(6 * KIB, &mut || ());
            grow(64 * KIB, || down_to(6 * KIB, &mut || ()));
        });
    });
}

/// Goes to depths, one after another, and says for each what was used at most
/// and what `high_water` found.
fn depths(usable: usize, deeper: &[usize]) -> Vec<(usize, usize)> {
    let go = |bytes: &usize| {
        let used = usable - down_to(remaining() - bytes, &mut || ());
        (used, high_water())
    };
    deeper.iter().map(go).collect()
}

/// The frames of `high_water` itself may be the deepest; whole pages are counted.
#[track_caller]
fn fits(used: usize, seen: usize) {
    assert_eq!(seen % PAGE, 0);
    assert!((used..used + 2 * PAGE).contains(&seen), "{used} bytes used, {seen} seen");
}

#[test]
fn the_deepest_is_known_to_a_page() {
    fn on_this_piece(usable: usize) {
        let deeper = [4, 5, 6, 7, 8, 16, 20, 40, 41].map(|n| n * KIB);
        for (used, seen) in depths(usable, &deeper) {
            fits(used, seen);
        }
        // What is left again counts.
        let most = high_water();
        for (_, seen) in depths(usable, &[KIB, 24 * KIB]) {
            assert_eq!(seen, most);
        }
        // Larger than what is asked of the kernel at once.
        if usable > 32 * MIB {
            let [(used, seen)] = depths(usable, &[20 * MIB])[..] else { unreachable!() };
            fits(used, seen);
        }
    }
    high_water();
    gopark::go(|| on_this_piece(default_limit())).join().unwrap();
    everywhere(|| {
        for bytes in [64 * KIB, MIB, 64 * MIB] {
            grow(bytes, || on_this_piece(bytes));
        }
    });
}

#[test]
fn what_others_did_with_a_stack_does_not_count() {
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], || {
        let small = || high_water() <= 4 * PAGE;
        gopark::go(high_water).join().unwrap();
        let mut places = Vec::new();
        for n in 0..100 {
            let task = gopark::go(move || {
                let local = 0_u8;
                let place = black_box(&raw const local).addr();
                let fresh = small() && grow(MIB, small);
                use_up(n % 3 * 100 * KIB);
                grow(MIB, || use_up(n % 3 * 100 * KIB));
                assert!(fresh, "a stack of another task");
                place
            });
            places.push(task.join().unwrap());
        }
        places.sort_unstable();
        places.dedup();
        assert!(places.len() < 50, "no stack was used again");
    });
}

/// With debug assertions the first measurement is as good as any.
#[test]
#[cfg(debug_assertions)]
fn the_first_measurement_in_a_debug_build_is_exact() {
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], || {
        gopark::go(|| use_up(300 * KIB)).join().unwrap();
        let seen = gopark::go(high_water).join().unwrap();
        assert!(seen <= 4 * PAGE, "{seen}");
    });
}

#[test]
fn the_depth_of_a_thread_is_known() {
    let thread = std::thread::spawn(|| {
        let before = high_water();
        use_up(300 * KIB);
        (before, high_water())
    });
    let (before, after) = thread.join().unwrap();
    assert!(before < 128 * KIB, "{before}");
    assert!((300 * KIB..before + 300 * KIB + 2 * PAGE).contains(&after), "{before} {after}");
}
