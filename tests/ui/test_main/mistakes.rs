use leakcheck::{Options, TestMain};

leakcheck::verify_test_main!(Options::new());

leakcheck::verify_test_main!(TestMain::new().cleanup(|| ()));

fn main() {}
