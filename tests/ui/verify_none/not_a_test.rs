use leakcheck::verify_none;

#[verify_none]
fn helper() {}

/// Documented, and still no test.
#[verify_none(settle = "0")]
#[allow(dead_code)]
fn another() {}

mod inner {
    #[leakcheck::verify_none]
    pub fn third() {}
}

fn main() {
    helper();
    inner::third();
}
