#[leakcheck::test]
fn returns_a_number() -> u8 {
    7
}

fn main() {}
