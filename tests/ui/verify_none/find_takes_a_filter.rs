use leakcheck::{Filter, Options, find};

fn main() {
    // Settings of a guard are no settings of `find`.
    let _ = find(&Options::new());
    let _ = leakcheck::verify_none(Filter::new());
}
