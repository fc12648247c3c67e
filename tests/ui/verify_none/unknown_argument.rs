use leakcheck::verify_none;

#[verify_none(setle = "20ms", deadline = "1s", ignore_nam = "pool")]
#[test]
fn misspelled() {}

#[verify_none(created_by = "pool::start", Threads = true)]
#[test]
fn almost() {}

#[verify_none(retries = 20)]
#[test]
fn not_at_all() {}

fn main() {}
