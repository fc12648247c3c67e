//! What `#[leakcheck::test]` becomes: the function that `#[verify_none]` makes of
//! it, and an entry in the list of tests.
//!
//! `ignore` and `should_panic` are arguments, and the attributes of these names are
//! understood, too. Neither stays on the function, which is none of libtest's tests.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprLit, ItemFn, Lit, LitStr, Meta, Result};

use crate::args::Args;
use crate::verify_none;

const NAME: &str = "#[leakcheck::test]";

/// The whole attribute. A mistake becomes a compile error beside the unchanged
/// function, so that it is the only error.
pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let mut function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let what = Error::new(error.span(), format!("`{NAME}` belongs on a function"));
            let what = what.to_compile_error();
            return quote!(#what #item);
        }
    };
    match read(args, &mut function) {
        Ok((args, kind)) => register(&args, &kind, &mut function),
        Err(errors) => {
            let errors = errors.into_compile_error();
            quote!(#errors #function)
        }
    }
}

/// What sets a test apart from others.
#[derive(Default)]
struct Kind {
    ignore: bool,
    /// The attribute, and what the panic has to say.
    should_panic: Option<(Meta, Option<LitStr>)>,
}

/// Reads the arguments and takes the attributes off that are understood here.
fn read(args: TokenStream, function: &mut ItemFn) -> Result<(Args, Kind)> {
    let mut kind = Kind::default();
    let mut errors = Errors::default();
    errors.note(verify_none::check_signature(function, NAME, false));
    let mut others = TokenStream::new();
    for argument in split_at_commas(args) {
        match parse_ours(&argument) {
            Some(meta) => drop(errors.note(meta.and_then(|meta| kind.set(meta)))),
            None => others.extend(quote!(#argument,)),
        }
    }
    let args = errors.note(Args::parse(others).map_err(also_valid_here));
    let mut kept = Vec::new();
    for attr in function.attrs.drain(..) {
        if is_ours(&attr.meta) {
            errors.note(kind.set(attr.meta));
        } else {
            errors.note(refuse_a_second_test(&attr));
            kept.push(attr);
        }
    }
    function.attrs = kept;
    if let Some((meta, _)) = &kind.should_panic
        && !verify_none::is_unit(&function.sig.output)
    {
        errors.note::<()>(Err(Error::new(
            meta.span(),
            "a test with `should_panic` returns nothing: a returned `Err` is no panic",
        )));
    }
    match (errors.all, args) {
        (None, Some(args)) => Ok((args, kind)),
        (errors, _) => Err(errors.expect("arguments that cannot be read are an error")),
    }
}

/// The function and its entry.
fn register(args: &Args, kind: &Kind, function: &mut ItemFn) -> TokenStream {
    // The body is wrapped as under `#[verify_none]`, which looks for the attribute.
    if kind.should_panic.is_some() {
        function.attrs.push(syn::parse_quote!(#[should_panic]));
    }
    let wrapped = verify_none::wrap(args, function);
    let Ok(mut wrapped) = syn::parse2::<ItemFn>(wrapped) else {
        unreachable!("it is a function still")
    };
    wrapped.attrs.retain(|attr| !attr.path().is_ident("should_panic"));

    let span = Span::mixed_site().located_at(function.sig.ident.span());
    let name = &function.sig.ident;
    let ignore = kind.ignore;
    let should_panic = match &kind.should_panic {
        None => quote_spanned!(span=> ::leakcheck::__private::ShouldPanic::No),
        Some((_, None)) => quote_spanned!(span=> ::leakcheck::__private::ShouldPanic::Yes),
        Some((_, Some(text))) => {
            quote_spanned!(span=> ::leakcheck::__private::ShouldPanic::Saying(#text))
        }
    };
    let path = verify_none::path_of(&function.sig.ident);
    let entry = quote_spanned! {span=>
        const _: () = {
            ::leakcheck::__private::inventory::submit! {
                ::leakcheck::__private::Registered {
                    path: #path,
                    ignore: #ignore,
                    should_panic: #should_panic,
                    run: || ::leakcheck::__private::ended(#name()),
                }
            }
        };
    };
    quote!(#wrapped #entry)
}

impl Kind {
    fn set(&mut self, meta: Meta) -> Result<()> {
        if meta.path().is_ident("ignore") {
            match &meta {
                Meta::Path(_) => {}
                Meta::NameValue(it) => drop(text(&it.value, "ignore = \"why\"")?),
                Meta::List(_) => return Err(wrong_form(&meta, "`ignore` or `ignore = \"why\"`")),
            }
            if std::mem::replace(&mut self.ignore, true) {
                return Err(Error::new(meta.span(), "`ignore` is given twice"));
            }
            return Ok(());
        }
        let says = match &meta {
            Meta::Path(_) => None,
            Meta::NameValue(it) => Some(text(&it.value, "should_panic = \"what it says\"")?),
            Meta::List(list) => {
                let inner: syn::MetaNameValue = list.parse_args()?;
                if !inner.path.is_ident("expected") {
                    return Err(wrong_form(&meta, "`should_panic(expected = \"what it says\")`"));
                }
                Some(text(&inner.value, "should_panic(expected = \"what it says\")")?)
            }
        };
        if self.should_panic.is_some() {
            return Err(Error::new(meta.span(), "`should_panic` is given twice"));
        }
        self.should_panic = Some((meta, says));
        Ok(())
    }
}

fn is_ours(meta: &Meta) -> bool {
    meta.path().is_ident("ignore") || meta.path().is_ident("should_panic")
}

/// Reads an argument as an attribute is written; `None` if it is none of ours.
fn parse_ours(argument: &TokenStream) -> Option<Result<Meta>> {
    match argument.clone().into_iter().next() {
        Some(TokenTree::Ident(name)) if name == "ignore" || name == "should_panic" => {
            Some(syn::parse2(argument.clone()))
        }
        _ => None,
    }
}

fn text(value: &Expr, right: &str) -> Result<LitStr> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.clone()),
        other => Err(Error::new(other.span(), format!("expected a string: write `{right}`"))),
    }
}

fn wrong_form(meta: &Meta, right: &str) -> Error {
    Error::new(meta.span(), format!("write {right}"))
}

fn refuse_a_second_test(attr: &Attribute) -> Result<()> {
    match attr.path().segments.last() {
        Some(last) if last.ident == "test" => Err(Error::new(
            attr.span(),
            format!(
                "`{NAME}` makes a test of the function already; without it, `#[verify_none]` checks a `#[test]`"
            ),
        )),
        Some(last) if last.ident == "verify_none" => Err(Error::new(
            attr.span(),
            format!("`{NAME}` checks the test already, and takes the same arguments"),
        )),
        _ => Ok(()),
    }
}

/// Names what is valid here beside the arguments of `#[verify_none]`.
fn also_valid_here(errors: Error) -> Error {
    let mut all = errors.into_iter().map(|error| {
        let message = error.to_string();
        match message.contains("valid arguments are") {
            true => Error::new(
                error.span(),
                format!("{message}; and here `ignore`, `should_panic` and `should_panic = \"…\"`"),
            ),
            false => error,
        }
    });
    let mut first = all.next().expect("an error says something");
    first.extend(all);
    first
}

/// The arguments, whatever is in them.
fn split_at_commas(args: TokenStream) -> Vec<TokenStream> {
    let mut arguments = vec![TokenStream::new()];
    for token in args {
        match &token {
            TokenTree::Punct(comma) if comma.as_char() == ',' => arguments.push(TokenStream::new()),
            _ => arguments.last_mut().expect("there is one").extend([token]),
        }
    }
    arguments.retain(|argument| !argument.is_empty());
    arguments
}

/// All that is wrong, each at its place.
#[derive(Default)]
struct Errors {
    all: Option<Error>,
}

impl Errors {
    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        match (result, &mut self.all) {
            (Ok(value), _) => return Some(value),
            (Err(error), Some(all)) => all.combine(error),
            (Err(error), none) => *none = Some(error),
        }
        None
    }
}
