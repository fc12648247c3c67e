use gopark::cooperative;

#[cooperative(every = 100)]
fn f() {
    for _ in 0..3 {}
}

fn main() {
    f();
}
