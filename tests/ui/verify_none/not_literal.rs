#[leakcheck::verify_none(settle = SOON)]
#[test]
fn a_constant() {}

#[leakcheck::verify_none(threads = maybe)]
#[test]
fn a_variable() {}

#[leakcheck::verify_none(cleanup(tidy))]
#[test]
fn a_list() {}

#[leakcheck::verify_none(ignore_site = 7)]
#[test]
fn a_number() {}

fn main() {}
