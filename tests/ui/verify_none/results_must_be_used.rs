#![deny(unused_must_use)]

use leakcheck::{Filter, Options, find, verify_none};

fn main() {
    find(&Filter::new());
    verify_none(Options::new());
}
