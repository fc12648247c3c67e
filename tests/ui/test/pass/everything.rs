//! The attribute in all its places, in a crate that has no unsafe code.
#![forbid(unsafe_code)]
#![deny(warnings)]

use leakcheck::{TestMain, test};

#[test]
fn plain() {}

#[leakcheck::test(settle = "0", ignore_name = "cache", ignore = "why")]
fn with_arguments() {}

/// Documented.
#[test(should_panic)]
#[allow(clippy::unnecessary_wraps)]
fn panics() {
    panic!("as it should");
}

mod inner {
    use leakcheck as _;

    #[::leakcheck::test]
    #[should_panic(expected = "sold")]
    fn r#match() {
        panic!("sold out");
    }

    #[leakcheck::test]
    #[ignore]
    pub fn returns() -> Result<(), Box<dyn std::error::Error>> {
        let (run, path) = (1, 2);
        assert_eq!(run + path, 3);
        Ok(())
    }
}

leakcheck::test_main!(TestMain::new().run_on_failure(true));
