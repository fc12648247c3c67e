use gopark::cooperative;

#[cooperative]
struct NoFunction;

struct Type;

#[cooperative]
impl Type {
    fn method() {
        loop {}
    }
}

trait Trait {
    #[cooperative]
    fn without_body();
}

fn main() {
    Type::method();
}
