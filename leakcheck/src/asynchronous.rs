//! The body of an async test, where its runtime is not looked into.

use std::future::Future;

/// Runs it.
pub async fn body<F: Future>(body: F) -> F::Output {
    body.await
}
