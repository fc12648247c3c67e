//! A call that succeeds the third time, each try behind a longer pause.

use crate::prelude::*;
use gopark::context::ContextError;

pub(crate) fn program() {
    let (ctx, _cancel) = Context::background().with_timeout(Duration::from_secs(600));
    let tries = go(move || -> Result<u32, ContextError> {
        let mut pause = Duration::from_millis(1);
        for n in 1.. {
            if n == 3 {
                return Ok(n);
            }
            ctx.sleep(pause)?;
            pause *= 2;
        }
        unreachable!("the third succeeds")
    });
    assert_eq!(tries.join().expect("it only sleeps"), Ok(3));
}
