use leakcheck::verify_none;

#[verify_none(settle = 20)]
#[test]
fn a_number() {}

#[verify_none(deadline = "soon")]
#[test]
fn no_duration() {}

#[verify_none(deadline = "1.5s")]
#[test]
fn no_whole_number() {}

#[verify_none(ignore_name)]
#[test]
fn no_value() {}

#[verify_none(ignore_entry = "")]
#[test]
fn an_empty_pattern() {}

#[verify_none(settle = "1s", settle = "2s")]
#[test]
fn given_twice() {}

#[verify_none("pool")]
#[test]
fn no_name() {}

#[verify_none(settle("20ms"))]
#[test]
fn no_equals_sign() {}

#[verify_none(threads = "yes", creation_stacks = 1, threads = perhaps)]
#[test]
fn no_switch() {}

#[verify_none(hang = 10)]
#[test]
fn no_unit() {}

#[verify_none(ignore_label = "tier", ignore_label = "=cache", ignore_label)]
#[test]
fn no_label() {}

#[verify_none(ignore_current = "all")]
#[test]
fn nothing_to_choose() {}

#[verify_none(cleanup = 7, before_check)]
#[test]
fn no_function() {}

#[verify_none(settle = "1s" deadline = "2s")]
#[test]
fn no_comma() {}

fn main() {}
