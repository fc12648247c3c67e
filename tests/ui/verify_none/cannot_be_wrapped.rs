use leakcheck::verify_none;

#[verify_none]
#[test]
fn with_parameters(first: u8, second: &str) {
    let _ = (first, second);
}

#[verify_none]
#[test]
fn generic<T: Default>() {
    let _ = T::default();
}

#[verify_none]
struct NoFunction;

fn main() {}
