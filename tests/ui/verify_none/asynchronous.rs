use leakcheck::verify_none;

#[verify_none]
async fn without_a_runtime() {}

#[tokio::test]
#[verify_none]
async fn below_the_runtime() {}

fn main() {}
