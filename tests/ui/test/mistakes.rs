#[leakcheck::test(setle = "20ms", ignore = 5, should_panic(expect = "x"))]
fn misspelled() {}

#[leakcheck::test(ignore)]
#[ignore = "once more"]
fn ignored_twice() {}

#[leakcheck::test(should_panic, should_panic = "sold out")]
fn panics_twice() {}

#[leakcheck::test(should_panic)]
fn returns_an_error() -> Result<(), String> {
    Ok(())
}

#[leakcheck::test]
#[test]
fn of_two_harnesses() {}

#[leakcheck::test]
#[leakcheck::verify_none]
fn checked_twice() {}

#[leakcheck::test(ignore(why))]
async fn asynchronous() {}

#[leakcheck::test]
fn with_parameters(first: u8) {
    let _ = first;
}

#[leakcheck::test]
struct NoFunction;

fn main() {}
