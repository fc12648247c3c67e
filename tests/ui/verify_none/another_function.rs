fn main() {
    checked();
}

#[leakcheck::verify_none(cleanup = takes_something)]
#[rustfmt::skip]
fn checked() {}

fn takes_something(_: i32) {}
