use leakcheck::{Filter, Options, Search, find};

fn main() {
    // What is said to a guard cannot be said to `find`.
    let _ = find(Options::new());
    let _ = leakcheck::verify_none(Search::new());
    let _ = leakcheck::verify_none(Filter::new());
    let _ = Search::new().cleanup(|| ());
    let _ = Search::new().hang(std::time::Duration::ZERO);
    let _ = Filter::new().settle(std::time::Duration::ZERO);
}
