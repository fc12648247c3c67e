use leakcheck::verify_none;

#[verify_none(setle = "20ms", deadline = "1s", ignore_nam = "pool")]
#[test]
fn misspelled() {}

fn main() {}
