#![deny(unused_must_use)]

use leakcheck::{Filter, Options, Search, find, verify_none};

fn main() {
    find(&Filter::new());
    verify_none(Options::new());
    Options::new().name("unused");
    Filter::new().ignore_name("unused");
    Search::new();
}
