//! What `#[verify_none]` becomes.
//!
//! The body moves into a closure and is run by `leakcheck`, which sees how it
//! ended: a guard inside the body could neither keep a returned `Err` apart
//! from a leak nor turn a `#[should_panic]` test's panic into a return.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, Ident, ItemFn, ReturnType, Type};

use crate::args::Args;
use crate::position;

/// The whole attribute. A mistake becomes a compile error beside the unchanged
/// function, so that it is the only error.
pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let args = Args::parse(args);
    let function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let what = Error::new(error.span(), "`#[verify_none]` belongs on a test function");
            let what = what.to_compile_error();
            return quote!(#what #item);
        }
    };
    match (args, check(&function)) {
        (Ok(args), Ok(())) => wrap(&args, &function),
        (args, checked) => {
            let errors = args.err().into_iter().chain(checked.err()).map(Error::into_compile_error);
            quote!(#(#errors)* #function)
        }
    }
}

/// Refuses functions that cannot be wrapped.
fn check(function: &ItemFn) -> syn::Result<()> {
    check_signature(function, "#[verify_none]", true)?;
    let sig = &function.sig;
    if let Some(token) = &sig.asyncness {
        if !position::attributes_make_a_test(&function.attrs) {
            return Err(Error::new(
                token.span,
                "an async test needs its runtime's attribute below `#[verify_none]`: `#[tokio::test]`",
            ));
        }
        if !cfg!(feature = "tokio") {
            return Err(Error::new(
                token.span,
                "`#[verify_none]` on an async test needs the feature `tokio` of leakcheck: \
                 `leakcheck = { version = \"…\", features = [\"tokio\"] }`",
            ));
        }
    } else if cfg!(feature = "tokio") && tokio_stands_above(function) {
        return Err(Error::new(
            sig.ident.span(),
            "`#[verify_none]` stands below `#[tokio::test]`, where the runtime and its tasks are \
             gone before the check looks; put it above `#[tokio::test]`",
        ));
    }
    if !position::attributes_make_a_test(&function.attrs) && position::nothing_stands_before() {
        return Err(Error::new(
            sig.ident.span(),
            "`#[verify_none]` belongs on a test, and this function is none: add `#[test]`, \
             or hold the guard of `leakcheck::verify_none(Options::new())` inside it",
        ));
    }
    Ok(())
}

/// Whether the function is what `#[tokio::test]` has made of an async one.
fn tokio_stands_above(function: &ItemFn) -> bool {
    // It has taken itself and `async` away; this message is its own.
    fn says(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Literal(it) => it.to_string() == "\"Failed building the Runtime\"",
            TokenTree::Group(it) => says(it.stream()),
            _ => false,
        })
    }
    says(function.block.to_token_stream())
}

/// An async test becomes a plain one around it: so that the runtime, which the attributes
/// below make, is made and dropped within the check.
fn make_plain(function: &ItemFn) -> ItemFn {
    let ItemFn { attrs, vis, sig, block } = function;
    let (runtime, kept): (Vec<_>, Vec<_>) =
        attrs.iter().partition(|attr| position::makes_a_test(attr) && !is_for_the_harness(attr));
    let span = Span::mixed_site().located_at(block.span());
    let mut plain = sig.clone();
    plain.asyncness = None;
    let (name, output) = (&sig.ident, &sig.output);
    let mut body = sig.clone();
    body.ident = syn::Ident::new("body", span);
    syn::parse_quote_spanned! {span=>
        #(#kept)*
        #[::core::prelude::v1::test]
        // The inner function has become a test, too, of which the harness does not know.
        #[allow(unnameable_test_items)]
        #vis #plain {
            #(#runtime)*
            async fn #name() #output {
                #body #block
                ::leakcheck::__private::async_body(body()).await
            }
            #name()
        }
    }
}

/// What is said to the harness and not to a runtime.
fn is_for_the_harness(attr: &syn::Attribute) -> bool {
    ["should_panic", "ignore"].iter().any(|name| attr.path().is_ident(name))
}

/// Refuses functions whose signature is not a test's.
pub(crate) fn check_signature(
    function: &ItemFn,
    attribute: &str,
    may_be_async: bool,
) -> syn::Result<()> {
    let sig = &function.sig;
    if let Some(token) = sig.asyncness.filter(|_| !may_be_async) {
        let what = format!(
            "`{attribute}` checks tasks of gopark and cannot wait for an async body; \
             make the test a plain `fn` and run the async part inside it",
        );
        return Err(Error::new(token.span, what));
    }
    if !sig.inputs.is_empty()
        && let Some(below) = position::gives_parameters(&function.attrs)
    {
        let what = format!(
            "`{attribute}` stands above `#[{below}]`, which gives the parameters their values; \
             put it below, where it is on each of the tests that are made",
        );
        return Err(Error::new(sig.inputs.span(), what));
    }
    if !sig.inputs.is_empty() {
        let what = format!(
            "`{attribute}` belongs on a test without parameters; \
             inside a function that takes some, hold the guard of `leakcheck::verify_none(Options::new())`",
        );
        return Err(Error::new(sig.inputs.span(), what));
    }
    if !sig.generics.params.is_empty() {
        let what = format!(
            "`{attribute}` belongs on a test, and a test is not generic; \
             inside a generic function, hold the guard of `leakcheck::verify_none(Options::new())`",
        );
        return Err(Error::new(sig.generics.params.span(), what));
    }
    Ok(())
}

/// The function's path, crate included, as an expression.
pub(crate) fn path_of(name: &Ident) -> TokenStream {
    let name = name.unraw().to_string();
    quote_spanned!(Span::mixed_site()=> ::core::concat!(::core::module_path!(), "::", #name))
}

/// The function with its body in a closure that `leakcheck` runs.
pub(crate) fn wrap(args: &Args, function: &ItemFn) -> TokenStream {
    let plain;
    let function = match function.sig.asyncness {
        Some(_) => {
            plain = make_plain(function);
            &plain
        }
        None => function,
    };
    let ItemFn { attrs, vis, sig, block } = function;
    // Placed at the body, where a panic should point to, but with names of
    // their own: the body must not see `case`.
    let span = Span::mixed_site().located_at(block.span());
    let path = path_of(&sig.ident);
    let options = args.to_options();
    let (output, probe) = returns(&sig.output);
    // Anything but `()` under `#[should_panic]` is refused by `#[test]`.
    let should_panic = attrs.iter().any(|attr| attr.path().is_ident("should_panic"));
    let run = match should_panic && is_unit(&sig.output) {
        true => quote_spanned!(span=> run_should_panic(case, body)),
        false => quote_spanned!(span=> run(case, body, #probe)),
    };
    let wrapped = quote_spanned! {span=>
        let case = ::leakcheck::__private::Case::new(#path, #options);
        #[allow(clippy::unused_unit)]
        let body = || #output #block;
        ::leakcheck::__private::#run
    };
    quote!(#(#attrs)* #vis #sig { #wrapped })
}

/// The return type that the body's closure states, and a closure that tells
/// whether a returned value is a failure.
fn returns(output: &ReturnType) -> (TokenStream, TokenStream) {
    match output {
        ReturnType::Default => (quote!(-> ()), quote!(|_| false)),
        // A closure cannot state `impl Trait`, and nothing is known of such a value.
        ReturnType::Type(_, ty) if mentions_impl(ty.to_token_stream()) => {
            (quote!(), quote!(|_| false))
        }
        ReturnType::Type(_, ty) => {
            let span = Span::mixed_site();
            let probe = quote_spanned!(span=> |value: &#ty| {
                #[allow(unused_imports)]
                use ::leakcheck::__private::{IsNoResult as _, IsResult as _};
                (&::leakcheck::__private::Returned(value)).failed()
            });
            (quote!(-> #ty), probe)
        }
    }
}

pub(crate) fn is_unit(output: &ReturnType) -> bool {
    match output {
        ReturnType::Default => true,
        ReturnType::Type(_, ty) => matches!(&**ty, Type::Tuple(it) if it.elems.is_empty()),
    }
}

fn mentions_impl(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(it) => it == "impl",
        TokenTree::Group(it) => mentions_impl(it.stream()),
        _ => false,
    })
}
