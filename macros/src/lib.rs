//! Attribute macros of `gopark` and `leakcheck`.
//!
//! Use them through the crate that owns them: `leakcheck::verify_none`. The
//! code that they expand to names that crate.
//!
//! | module | decides |
//! |---|---|
//! | `args` | which arguments exist, and what is wrong with the ones given |
//! | `position` | whether a function is a test at all |
//! | `verify_none` | on which functions the attribute may stand, and what it becomes |

#![forbid(unsafe_code)]

mod args;
mod position;
mod verify_none;

use proc_macro::TokenStream;

/// Fails the test when a task that it started is still alive at its end.
///
/// It stands on any `#[test]`, above or below that attribute: plain, returning
/// a `Result`, with `#[should_panic]` in any form, with `#[ignore]`.
///
/// # Arguments
///
/// | argument | meaning | default |
/// |---|---|---|
/// | `settle = "20ms"` | how long everything must have stood still before it counts as leaked | `20ms` |
/// | `deadline = "1s"` | how long a task that could still end is waited for | `1s` |
/// | `ignore_name = "pool"` | tasks with exactly this name are not leaks | |
/// | `ignore_entry = "my_crate::pool::start"` | tasks that this function, or a closure in it, runs | |
/// | `ignore_site = "src/pool.rs"` | tasks that wait in this file | |
///
/// A duration is a whole number and a unit, `us`, `ms`, `s` or `m`, in quotes;
/// `"0"` needs no unit. The `ignore_*` arguments may be given several times.
///
/// # What happens to the test
///
/// - A leak prints the report and panics. The body's own panic, or the `Err`
///   it returned, is never replaced: then the report is only printed.
/// - Under `#[should_panic]` a leak prints the report and returns without a
///   panic, so that the test fails.
/// - A panic in a task of the test that nobody joined fails it too.
/// - Where the runtime is not supported the test runs unchecked, which is said
///   once on standard error.
#[proc_macro_attribute]
pub fn verify_none(args: TokenStream, item: TokenStream) -> TokenStream {
    verify_none::expand(args.into(), &item.into()).into()
}
