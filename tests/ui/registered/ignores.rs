use leakcheck::ignore;

ignore! { name = "metrics" }

ignore! { reason = "all of them" }

ignore! { name = "metrics", reason = "" }

ignore! { name = "", reason = "none of them" }

ignore! { ignore_created_by = "pool::*", resaon = "misspelled" }

ignore! { name = "a", name = "b", reason = "one of them" }

ignore! { "metrics", reason = "of which kind?" }

ignore! { label = "tier", reason = "no value" }

ignore! {}

fn main() {}
