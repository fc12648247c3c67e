use gopark::cooperative;

#[cooperative]
fn adaptors(numbers: &[u32]) -> u32 {
    fn inner() {
        for _ in 0..3 {}
    }
    inner();
    numbers.iter().map(|n| n * 2).sum()
}

fn main() {
    adaptors(&[1]);
}
