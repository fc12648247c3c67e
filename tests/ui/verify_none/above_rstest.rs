use rstest::rstest;

#[leakcheck::verify_none]
#[rstest]
#[case(1)]
fn cases(#[case] _n: u8) {}

#[leakcheck::verify_none]
#[rstest::rstest]
fn values(#[values(1, 2)] _n: u8) {}

#[rstest]
#[tokio::test]
#[leakcheck::verify_none]
async fn below_tokio() {}

#[test_log::test(tokio::test)]
#[leakcheck::verify_none]
async fn below_test_log() {}

fn main() {}
