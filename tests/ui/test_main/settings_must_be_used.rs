#![deny(unused_must_use)]

fn main() {
    leakcheck::TestMain::new();
}
