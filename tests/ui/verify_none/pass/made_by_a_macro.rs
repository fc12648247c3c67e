//! Tests that other macros write are taken for what they are.

macro_rules! tests {
    ($($(#[$meta:meta])* $name:ident)*) => {
        $(
            #[leakcheck::verify_none]
            $(#[$meta])*
            fn $name() {}
        )*
    };
}

tests! {
    #[test] first
    #[test] #[should_panic] second
}

#[test] #[leakcheck::verify_none] fn in_one_line() {}

/* A comment */ #[leakcheck::verify_none] #[test] fn after_a_comment() {}

fn main() {}
