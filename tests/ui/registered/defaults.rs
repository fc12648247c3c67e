leakcheck::defaults! {}

leakcheck::defaults! { setle = "5ms", deadline = 2 }

leakcheck::defaults! { ignore_name = "pool" }

leakcheck::defaults! { threads = "yes", settle = "5ms", settle = "6ms" }

fn main() {}
