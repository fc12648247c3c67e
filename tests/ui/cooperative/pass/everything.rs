//! What a function means does not change.
#![deny(warnings)]

use gopark::cooperative;
use std::fmt::Debug;

#[cooperative]
fn labels(limit: u32) -> u32 {
    let found = 'outer: loop {
        for a in 1.. {
            'inner: for b in 1..=a {
                if (a + b) % 2 == 0 {
                    continue 'inner;
                }
                if a * b > limit {
                    break 'outer a * 1000 + b;
                }
            }
        }
    };
    found
}

#[cooperative]
fn question(words: &[&str]) -> Result<i32, std::num::ParseIntError> {
    let mut sum = 0;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        sum += word.parse::<i32>()?;
    }
    Ok(sum)
}

/// Inside: a closure's loop, an item that is const, a const block, an async block.
#[cooperative]
fn nested() -> (u32, usize) {
    const fn constant() -> usize {
        let mut n = 0;
        while n < 3 {
            n += 1;
        }
        n
    }
    let array = [0_u8; {
        let mut n = 0;
        while n < 4 {
            n += 1;
        }
        n
    }];
    let more = const {
        let mut n = 0;
        loop {
            n += 1;
            if n == 5 {
                break n;
            }
        }
    };
    let _future = async { loop {} };
    let double = |times: u32| {
        let mut n = 1;
        for _ in 0..times {
            n *= 2;
        }
        n
    };
    (double(4), constant() + array.len() + more)
}

struct Pile<T>(Vec<T>);

impl<T: Debug + Clone> Pile<T> {
    #[cooperative]
    #[must_use]
    pub(crate) fn shown<const N: usize>(&self) -> [String; N] {
        let mut texts: [String; N] = std::array::from_fn(|_| String::new());
        for (text, value) in texts.iter_mut().zip(&self.0) {
            *text = format!("{value:?}");
        }
        texts
    }

    #[cooperative]
    unsafe fn emptied(self: Box<Self>) -> impl Iterator<Item = T> {
        let mut values = self.0;
        let mut out = Vec::new();
        loop {
            match values.pop() {
                Some(value) => out.push(value),
                None => break out.into_iter(),
            }
        }
    }
}

trait Counts {
    #[cooperative]
    fn count(&self) -> u32 {
        let mut n = 0;
        while n < 10 {
            n += 1;
        }
        n
    }
}

impl Counts for () {}

/// Neither name is the macro's.
#[cooperative]
fn shadowed() -> u32 {
    #[allow(dead_code)]
    mod gopark {
        pub(crate) fn safepoint() {
            panic!("not this one");
        }
    }
    let mut n = 0;
    for safepoint in 0..3 {
        n += safepoint;
    }
    n
}

#[cooperative]
fn for_ever() -> ! {
    loop {
        std::process::exit(0);
    }
}

fn main() {
    assert_eq!(labels(50), 8007);
    assert_eq!(question(&["1", "2"]), Ok(3));
    assert!(question(&["1", "x"]).is_err());
    assert_eq!(nested(), (16, 12));
    let pile = Box::new(Pile(vec![1, 2]));
    assert_eq!(pile.shown::<3>(), ["1", "2", ""]);
    // SAFETY: it asks nothing of its caller.
    let emptied: Vec<_> = unsafe { pile.emptied() }.collect();
    assert_eq!(emptied, [2, 1]);
    assert_eq!(().count(), 10);
    assert_eq!(shadowed(), 3);
    for_ever();
}
