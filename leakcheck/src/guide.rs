//! For people: how to come here from goleak, and what to do about a leak.

#[cfg_attr(runtime, doc = include_str!("../docs/from_goleak.md"))]
#[cfg_attr(not(runtime), doc = "Only where the runtime exists.")]
pub mod from_goleak {}

#[cfg_attr(runtime, doc = include_str!("../docs/what_now.md"))]
#[cfg_attr(not(runtime), doc = "Only where the runtime exists.")]
pub mod what_now {}
