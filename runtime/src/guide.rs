//! For people: how to come here from Go.

#[cfg_attr(runtime, doc = include_str!("../docs/coming_from_go.md"))]
#[cfg_attr(not(runtime), doc = "Only where the runtime exists.")]
pub mod coming_from_go {}
