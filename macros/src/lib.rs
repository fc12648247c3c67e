//! Macros of `gopark` and `leakcheck`.
//!
//! Use them through the crate that owns them: `gopark::cooperative`,
//! `gopark::select`, `leakcheck::verify_none`. The code that they expand to names that crate.
//!
//! | module | decides |
//! |---|---|
//! | `cooperative` | where safepoints go, and where they cannot |
//! | `select` | what a case looks like, in which order everything happens |
//! | `values` | what `name = value` looks like, and what is said if it does not |
//! | `args` | which arguments `#[verify_none]` takes |
//! | `registered` | what `ignore!` and `defaults!` take and become |
//! | `position` | whether a function is a test at all |
//! | `verify_none` | on which functions the attribute may stand, and what it becomes |
//! | `test` | what `#[leakcheck::test]` adds to that |

#![forbid(unsafe_code)]

mod args;
mod cooperative;
mod position;
mod registered;
mod select;
#[path = "test.rs"]
mod test_attribute;
mod values;
mod verify_none;

use proc_macro::TokenStream;

/// Puts a [safepoint] into every loop of a function, so that a long computation
/// does not hold other tasks up.
///
/// It stands on functions and methods, generic ones too: each pass through a
/// `for`, `while` or `loop` begins with a call of `gopark::safepoint()`, in the
/// function itself and in its closures. Labels, `break` with a value, `continue`
/// and `?` mean what they meant.
///
/// # What it leaves alone
///
/// - Items inside the function: an inner `fn` is a function of its own.
/// - `async` blocks and closures, which run when and where they are polled.
/// - What the compiler evaluates: `const` blocks, lengths of arrays.
/// - Macro calls. A loop that is written inside one, such as `vec![…]`, is the
///   macro's affair.
/// - The loops of others: a `sort`, or the `for_each` of an iterator.
///
/// It is an error on a `const fn`, on an `async fn`, on what is no function, and
/// on a function without a loop, where it would do nothing.
///
/// [safepoint]: https://docs.rs/gopark/latest/gopark/fn.safepoint.html
#[proc_macro_attribute]
pub fn cooperative(args: TokenStream, item: TokenStream) -> TokenStream {
    cooperative::expand(&args.into(), &item.into()).into()
}

/// Waits until one of several channel operations is possible, and does that one
/// (Go: `select`).
///
/// ```text
/// select! {
///     recv(receiver) -> result => body,
///     recv(receiver) => body,
///     send(sender, value) -> result => body,
///     default => body,
/// }
/// ```
///
/// | case | runs its body | `result` |
/// |---|---|---|
/// | `recv(receiver) -> result` | with a value, or when the channel is closed and drained | `Result<T, RecvError>` |
/// | `recv(receiver)` | the same; what came is dropped | |
/// | `send(sender, value) -> result` | when the value is sent, or the channel closed | `Result<(), SendError<T>>` |
/// | `default` | when nothing else is possible at once | |
/// | `after(duration)` | when nothing was possible for so long | |
/// | `at(instant)` | when nothing was possible until then | |
///
/// There is at most one of the last three. `result` is a pattern that cannot
/// fail: `value`, `_`, `Ok(value) | Err(SendError(value))`. Bodies are expressions
/// of one type, which is that of the `select!`; they may `break`, `continue`,
/// `return` and use `?`. As in a `match`, there is a comma behind each that is no
/// block.
///
/// # The rules
///
/// 1. What stands in the parentheses is evaluated exactly once, when the select
///    begins, from top to bottom: handles, values and times, also of cases that
///    are not chosen. Handles are borrowed; references, `Arc`s and `Box`es of
///    them will do. What is temporary there is gone before a body runs.
/// 2. If several cases are ready one of them is chosen at random, each with the
///    same probability. If none is, and there is a `default`, that is chosen.
///    Otherwise the task waits.
/// 3. Exactly one case happens. A value of a send that was not chosen is dropped
///    before the body runs; with [`SendCase`] it can be had back.
/// 4. A closed channel is always ready. One that is [never ready] is never chosen,
///    so a case can be switched off; and `select! {}` waits for ever.
///
/// The wait parks the task with reason `select`, for ever with reason `select (no
/// cases)`. A list of cases whose number is not known in advance is for
/// [`chan::select`].
///
/// [`SendCase`]: https://docs.rs/gopark/latest/gopark/chan/struct.SendCase.html
/// [never ready]: https://docs.rs/gopark/latest/gopark/chan/fn.never.html
/// [`chan::select`]: https://docs.rs/gopark/latest/gopark/chan/fn.select.html
#[proc_macro]
pub fn select(input: TokenStream) -> TokenStream {
    select::expand(input.into()).into()
}

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
/// | `hang = "10s"` | after how long a body that does not go on is reported; `"0"`: never | `10s` |
/// | `threads = true` | OS threads that the test started and that still run are leaks, too | `false` |
/// | `creation_stacks = true` | the stack is kept on which each task is made, and shown; some microseconds a task | `false` |
/// | `before_check = function` | called when the body is over, before anything is looked at | |
/// | `cleanup = function` | called when the verdict is known | |
/// | `ignore_name = "pool-*"` | tasks with such a name are not leaks | |
/// | `ignore_label = "tier=cache"` | tasks with this label and such a value | |
/// | `ignore_entry = "my_crate::pool::start"` | tasks that this function, or a closure in it, runs | |
/// | `ignore_top_function = "my_crate::queue::pop"` | tasks that wait in a call that it makes | |
/// | `ignore_any_function = "my_crate::job::*"` | tasks that are in it, however deep | |
/// | `ignore_created_by = "my_crate::pool::start"` | tasks that it made, and what descends from them | |
/// | `ignore_site = "src/pool.rs"` | tasks that wait in this file | |
/// | `ignore_current` | what is alive when the test begins, which no test sees of others' tasks | |
///
/// A duration is a whole number and a unit, `us`, `ms`, `s` or `m`, in quotes;
/// `"0"` needs no unit. The `ignore_*` arguments may be given several times, and a `*`
/// in them stands for any characters, a `?` for one. What the arguments do not state is
/// decided by the environment, the crate's `leakcheck::defaults!`, or is the default
/// above, in this order.
///
/// # Beside other attributes
///
/// | with | where |
/// |---|---|
/// | `#[test]`, `#[should_panic]`, `#[ignore]`, `#[test_log::test]` | above or below |
/// | `#[tokio::test]`, `#[test_log::test(tokio::test)]` | above; below, it does not compile |
/// | `#[rstest]` | below, on each test that it makes; above only if the function has no parameters, else it does not compile |
/// | `#[rstest]` and `#[tokio::test]` | between the two, in this order |
/// | a test inside of `proptest! { … }` | above or below its `#[test]`; one check for all cases |
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

/// Leaves tasks out of every check of the program, because those who write it know that
/// they are no leaks: a library's own background tasks, say.
///
/// ```text
/// leakcheck::ignore! {
///     created_by = "metrics::exporter::*",
///     reason = "one exporter for the process; it ends with it",
/// }
/// ```
///
/// It stands wherever an item may. A task is left out if it fits everything that is
/// said in one `ignore!`: `name`, `label = "key=value"`, `entry`, `top_function`,
/// `any_function`, `created_by`, `site`, each with text in which `*` stands for any
/// characters and `?` for one. They mean what the arguments `ignore_name` and so on of
/// `#[verify_none]` do. `reason` must be given.
///
/// It works from any crate that is linked into the test; the linker may leave out a
/// module of a library of which the test uses nothing, and what stands there with it.
/// `leakcheck::unused_ignores()` tells which have matched nothing, and the end of a
/// wrapped main prints them if `LEAKCHECK_UNUSED_IGNORES=1` is set. A task that is
/// built with `gopark::Builder::daemon` needs none of this.
#[proc_macro]
pub fn ignore(input: TokenStream) -> TokenStream {
    registered::ignore(input.into()).into()
}

/// States settings for all checks of a crate, once, at any place in it.
///
/// ```text
/// leakcheck::defaults! { settle = "5ms", deadline = "2s" }
/// ```
///
/// There are `settle`, `deadline` and `hang`, which are durations, and the switches
/// `threads` and `creation_stacks`; they mean what the arguments of `#[verify_none]`
/// do. What a check states for itself wins, and so does the environment.
///
/// A test below `tests/` is a crate of its own. `#[verify_none]` knows which crate it
/// stands in; a guard and a search take the defaults of the only crate that states
/// some. That two crates of one program do, and one of them is asked without times of
/// its own, is an error when it happens, and so is a crate that states them twice.
#[proc_macro]
pub fn defaults(input: TokenStream) -> TokenStream {
    registered::defaults(input.into()).into()
}

/// A test for [`test_main!`], checked as under [`verify_none`](macro@verify_none).
///
/// It stands alone on a function, without `#[test]`. Besides the arguments of
/// [`verify_none`](macro@verify_none) there are two, which are also understood as attributes:
///
/// | argument | meaning |
/// |---|---|
/// | `ignore`, `ignore = "why"` | is run only when ignored tests are asked for |
/// | `should_panic` | passes if it panics, and leaves nothing behind |
/// | `should_panic = "what it says"` | and if the message of the panic contains this |
///
/// [`test_main!`]: https://docs.rs/leakcheck/latest/leakcheck/macro.test_main.html
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    test_attribute::expand(args.into(), &item.into()).into()
}
