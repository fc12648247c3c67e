use gopark::cooperative;

#[cooperative]
const fn constant(mut n: u32) -> u32 {
    while n > 10 {
        n /= 2;
    }
    n
}

#[cooperative]
async fn asynchronous() {
    loop {}
}

fn main() {
    const _: u32 = constant(7);
    drop(asynchronous());
}
