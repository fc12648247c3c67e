//! What `#[cooperative]` becomes: the function with a safepoint at the beginning
//! of every loop's body.
//!
//! At the beginning, so that `continue` passes it too, and inside the body, so
//! that labels and what `break` gives back stay where they are.
//!
//! Left alone is what does not run when the function does, or not on its task:
//! items inside it, `async` blocks and closures, and everything that the compiler
//! evaluates. Tokens of a macro call are not looked into: only the macro knows
//! what in them is a loop.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Block, Error, ExprAsync, ExprClosure, ExprConst, ExprForLoop, ExprLoop, ExprRepeat, ExprWhile,
    GenericArgument, Item, ItemFn, Pat, Type, parse_quote_spanned,
};

/// The whole attribute. A mistake becomes a compile error beside the unchanged
/// item, so that it is the only error.
pub(crate) fn expand(args: &TokenStream, item: &TokenStream) -> TokenStream {
    match insert(args, item) {
        Ok(function) => function.into_token_stream(),
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#error #item)
        }
    }
}

fn insert(args: &TokenStream, item: &TokenStream) -> syn::Result<ItemFn> {
    if !args.is_empty() {
        return Err(Error::new(args.span(), "`#[cooperative]` takes no arguments"));
    }
    let mut function = syn::parse2::<ItemFn>(item.clone()).map_err(|error| {
        Error::new(
            error.span(),
            "`#[cooperative]` belongs on a function or a method with a body; \
             in an `impl` block or a trait, put it on each method that loops",
        )
    })?;
    if let Some(token) = &function.sig.constness {
        return Err(Error::new(
            token.span(),
            "`#[cooperative]` cannot make a `const fn` give way: the compiler runs it too, \
             and has no tasks; call the `const fn` from a loop that is cooperative",
        ));
    }
    if let Some(token) = &function.sig.asyncness {
        return Err(Error::new(
            token.span(),
            "`#[cooperative]` is for tasks of gopark, and an `async fn` runs in its executor, \
             which it gives way to by `.await`; put the long loop into a plain `fn`",
        ));
    }
    let mut loops = Loops { found: 0 };
    loops.visit_block_mut(&mut function.block);
    if loops.found == 0 {
        return Err(Error::new(
            function.sig.ident.span(),
            "`#[cooperative]` finds no `for`, `while` or `loop` here; it does not look into \
             macro calls, `async` blocks, inner functions and iterator adaptors: \
             call `gopark::safepoint()` where the time is spent",
        ));
    }
    Ok(function)
}

struct Loops {
    found: usize,
}

impl Loops {
    /// `at` is the loop's keyword, so that whoever steps through the code is there.
    fn begin(&mut self, body: &mut Block, at: Span) {
        self.found += 1;
        let span = Span::mixed_site().located_at(at);
        body.stmts.insert(0, parse_quote_spanned!(span=> ::gopark::safepoint();));
    }
}

impl VisitMut for Loops {
    fn visit_expr_for_loop_mut(&mut self, it: &mut ExprForLoop) {
        visit_mut::visit_expr_for_loop_mut(self, it);
        self.begin(&mut it.body, it.for_token.span);
    }

    fn visit_expr_while_mut(&mut self, it: &mut ExprWhile) {
        visit_mut::visit_expr_while_mut(self, it);
        self.begin(&mut it.body, it.while_token.span);
    }

    fn visit_expr_loop_mut(&mut self, it: &mut ExprLoop) {
        visit_mut::visit_expr_loop_mut(self, it);
        self.begin(&mut it.body, it.loop_token.span);
    }

    fn visit_expr_closure_mut(&mut self, it: &mut ExprClosure) {
        if it.asyncness.is_none() {
            visit_mut::visit_expr_closure_mut(self, it);
        }
    }

    /// The length is for the compiler.
    fn visit_expr_repeat_mut(&mut self, it: &mut ExprRepeat) {
        self.visit_expr_mut(&mut it.expr);
    }

    fn visit_item_mut(&mut self, _: &mut Item) {}
    fn visit_expr_async_mut(&mut self, _: &mut ExprAsync) {}
    fn visit_expr_const_mut(&mut self, _: &mut ExprConst) {}
    fn visit_type_mut(&mut self, _: &mut Type) {}
    fn visit_pat_mut(&mut self, _: &mut Pat) {}
    fn visit_generic_argument_mut(&mut self, _: &mut GenericArgument) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of it, with `@` for a safepoint and without spaces.
    fn becomes(item: &str) -> String {
        let item = item.parse().expect("tokens");
        let text = expand(&TokenStream::new(), &item).to_string().replace(' ', "");
        text.replace("::gopark::safepoint();", "@")
    }

    fn error(args: &str, item: &str) -> String {
        let tokens = |text: &str| text.parse().expect("tokens");
        insert(&tokens(args), &tokens(item)).map(|_| ()).expect_err("an error").to_string()
    }

    #[test]
    fn every_loop() {
        let cases = [
            ("for x in y {}", "forxiny{@}"),
            ("while a() { b() }", "whilea(){@b()}"),
            ("while let Some(x) = y {}", "whileletSome(x)=y{@}"),
            ("loop { break 7 }", "loop{@break7}"),
            ("'a: loop { continue 'a }", "'a:loop{@continue'a}"),
            ("loop { for x in y {} }", "loop{@forxiny{@}}"),
            ("while loop { break true } {}", "whileloop{@breaktrue}{@}"),
            ("for x in loop { break y } {}", "forxinloop{@breaky}{@}"),
            ("let f = |x| loop {};", "letf=|x|loop{@};"),
            ("let f = move || { for x in y {} };", "letf=move||{forxiny{@}};"),
            ("g(unsafe { loop {} })?;", "g(unsafe{loop{@}})?;"),
            ("match x { _ if loop {} => loop {} }", "matchx{_ifloop{@}=>loop{@}}"),
            ("let Some(x) = y else { loop {} };", "letSome(x)=yelse{loop{@}};"),
            ("[loop {}; 3]", "[loop{@};3]"),
        ];
        for (body, expected) in cases {
            assert_eq!(becomes(&format!("fn f() {{ {body} }}")), format!("fnf(){{{expected}}}"));
        }
    }

    #[test]
    fn what_is_left_alone() {
        let cases = [
            "fn g() { loop {} }",
            "impl A { fn g() { loop {} } }",
            "const N: u8 = loop {};",
            "async { loop {} };",
            "async move { loop {} };",
            "async || loop {};",
            "const { loop {} };",
            "let x: [u8; loop {}] = y;",
            "[0; loop {}];",
            "g::<{ loop {} }>();",
            "m! { loop {} }",
        ];
        for body in cases {
            let item = format!("fn f() {{ loop {{ }} {body} }}");
            let expected = item.replacen("loop { }", "loop{@}", 1).replace(' ', "");
            assert_eq!(becomes(&item), expected);
            assert!(
                error("", &format!("fn f() {{ {body} }}")).contains("finds no `for`"),
                "{body}"
            );
        }
    }

    #[test]
    fn functions_of_every_kind() {
        for item in [
            "pub(crate) unsafe fn f<T: A, const N: usize>(&mut self, x: T) -> [T; N] where T: B {@}",
            "#[inline] fn f(self: Box<Self>) -> impl Iterator<Item = u8> {@}",
            "extern \"C\" fn f() {@}",
        ] {
            let expected = item.replace('@', "{loop{@}}").replace(' ', "");
            assert_eq!(becomes(&item.replace('@', "{ loop {} }")), expected);
        }
    }

    #[test]
    fn mistakes() {
        assert!(error("every = 3", "fn f() { loop {} }").contains("takes no arguments"));
        assert!(error("", "const fn f() { loop {} }").contains("cannot make a `const fn`"));
        assert!(error("", "async fn f() { loop {} }").contains("runs in its executor"));
        for item in ["struct A;", "impl A { fn f() { loop {} } }", "fn f();", "mod a { }"] {
            assert!(error("", item).contains("with a body"), "{item}");
        }
    }
}
