//! What `select!` becomes.
//!
//! ```text
//! {
//!     enum __Chosen<C0, C1> { C0(C0), C1(C1), Limit }
//!     let chosen = match (Receiver::case(&rx), Sender::case(&tx, value)) {
//!         (mut c0, mut c1) => match select_within(&mut [&mut c0, &mut c1], limit) {
//!             Some(0) => __Chosen::C0(c0.take()),
//!             Some(_) => __Chosen::C1(c1.take()),
//!             None => __Chosen::Limit,
//!         },
//!     };
//!     match chosen {
//!         __Chosen::C0(outcome) => match outcome { pattern => body },
//!         …
//!     }
//! }
//! ```
//!
//! The tuple evaluates what stands in the cases once and in source order. What is
//! temporary there, and the values that were not sent, are gone before a body
//! runs. The bodies stand in no closure, so that `break`, `return` and `?` mean
//! what they mean outside.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, Ident, Pat, Result, Token, token};

const VALID: &str = "a case is `recv(receiver) -> result => …`, `send(sender, value) -> result => …`, \
     `after(duration) => …`, `at(instant) => …` or `default => …`";

/// The whole macro. Mistakes become compile errors, each at its place.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    match Select::parse(input) {
        Ok(select) => select.to_tokens(),
        Err(errors) => {
            // The last one is the block's value, which then fits everywhere.
            let errors = errors.into_iter().map(|error| {
                let (message, span) = (error.to_string(), error.span());
                quote_spanned!(span=> ::core::compile_error!(#message))
            });
            quote!({ #(#errors);* })
        }
    }
}

struct Select {
    cases: Vec<Case>,
    limit: Option<Limit>,
}

/// A receive or a send.
struct Case {
    operation: Operation,
    pattern: Option<Pat>,
    body: Expr,
}

enum Operation {
    Recv { receiver: Expr },
    Send { sender: Expr, value: Expr },
}

/// When the select ends without one; and how many cases stand before that.
struct Limit {
    kind: LimitKind,
    word: Ident,
    behind: usize,
    body: Expr,
}

enum LimitKind {
    Default,
    After(Expr),
    At(Expr),
}

impl Select {
    /// An error holds every mistake.
    fn parse(input: TokenStream) -> Result<Select> {
        let mut select = Select { cases: Vec::new(), limit: None };
        let mut errors: Option<Error> = None;
        let read = |input: ParseStream<'_>| {
            while !input.is_empty() {
                if let Err(error) = select.parse_case(input) {
                    match &mut errors {
                        Some(all) => all.combine(error),
                        None => errors = Some(error),
                    }
                    skip_case(input)?;
                }
            }
            Ok(())
        };
        let end = read.parse2(input);
        match (errors, end) {
            (Some(errors), _) | (None, Err(errors)) => Err(errors),
            (None, Ok(())) => Ok(select),
        }
    }

    fn parse_case(&mut self, input: ParseStream<'_>) -> Result<()> {
        let word = match input.call(Ident::parse_any) {
            Ok(word) => word,
            Err(_) => return Err(input.error(format!("expected a case: {VALID}"))),
        };
        match word.to_string().as_str() {
            "recv" => {
                let [receiver] = arguments(&word, "recv(receiver)", input)?;
                self.parse_rest(Operation::Recv { receiver }, input)
            }
            "send" => {
                let [sender, value] = arguments(&word, "send(sender, value)", input)?;
                if input.peek(Token![=>]) {
                    return Err(Error::new(
                        word.span(),
                        "a send has a result, which gives the value back if the channel is \
                         closed: write `send(sender, value) -> result => …`, or `-> _` if it does \
                         not matter",
                    ));
                }
                self.parse_rest(Operation::Send { sender, value }, input)
            }
            "default" => {
                if input.peek(token::Paren) {
                    return Err(input.error(
                        "`default` takes no arguments: it runs when nothing is ready at once; \
                         to wait for some time write `after(duration) => …`",
                    ));
                }
                self.parse_limit(LimitKind::Default, word, input)
            }
            "after" => {
                let [duration] = arguments(&word, "after(duration)", input)?;
                self.parse_limit(LimitKind::After(duration), word, input)
            }
            "at" => {
                let [instant] = arguments(&word, "at(instant)", input)?;
                self.parse_limit(LimitKind::At(instant), word, input)
            }
            other => Err(Error::new(word.span(), format!("there is no case `{other}`; {VALID}"))),
        }
    }

    /// `-> pattern => body`
    fn parse_rest(&mut self, operation: Operation, input: ParseStream<'_>) -> Result<()> {
        let mut pattern = None;
        if input.peek(Token![->]) {
            input.parse::<Token![->]>()?;
            pattern = Some(Pat::parse_multi_with_leading_vert(input)?);
        }
        let body = body(input, "`-> result` or `=>`")?;
        self.cases.push(Case { operation, pattern, body });
        Ok(())
    }

    fn parse_limit(&mut self, kind: LimitKind, word: Ident, input: ParseStream<'_>) -> Result<()> {
        if input.peek(Token![->]) {
            let message = format!("`{word}` has no result: write `=>` here");
            return Err(input.error(message));
        }
        let body = body(input, "`=>`")?;
        if let Some(former) = &self.limit {
            let former = &former.word;
            let message = if *former == word {
                format!("there is a `{word}` already")
            } else {
                format!(
                    "`{word}` and `{former}` exclude each other: the select ends by one of them"
                )
            };
            return Err(Error::new(word.span(), message));
        }
        self.limit = Some(Limit { kind, word, behind: self.cases.len(), body });
        Ok(())
    }

    fn to_tokens(&self) -> TokenStream {
        // Locals of the macro are invisible to what stands in the cases.
        let hidden = Span::mixed_site();
        let n = self.cases.len();
        let names: Vec<Ident> = (0..n).map(|i| Ident::new(&format!("c{i}"), hidden)).collect();
        let variants: Vec<Ident> = (0..n).map(|i| format_ident!("C{i}")).collect();
        let limit = Ident::new("limit", hidden);

        // What is evaluated, in source order, and the names for it.
        let mut values: Vec<TokenStream> = self.cases.iter().map(Case::value).collect();
        let mut bound: Vec<TokenStream> = names.iter().map(|name| quote!(mut #name)).collect();
        let behind = self.limit.as_ref().map_or(n, |limit| limit.behind);
        values.insert(behind, self.limit_value());
        bound.insert(behind, limit.to_token_stream());

        let numbers = 0..n;
        let take = quote!(match ::gopark::chan::select_within(
            &mut [#(&mut #names),*],
            #limit,
        ) {
            #(::core::option::Option::Some(#numbers) => __Chosen::#variants(#names.take()),)*
            _ => __Chosen::Limit,
        });
        let arms = self.cases.iter().zip(&variants).map(|(case, variant)| {
            let body = &case.body;
            let outcome = Ident::new("outcome", hidden);
            let then = match &case.pattern {
                Some(pattern) => {
                    // At the user's place, for the error about a pattern that can fail.
                    let outcome = Ident::new("outcome", hidden.located_at(pattern.span()));
                    quote!(match #outcome { #pattern => #body })
                }
                None => quote!({ ::core::mem::drop(#outcome); #body }),
            };
            quote!(__Chosen::#variant(#outcome) => #then,)
        });
        let last = match &self.limit {
            Some(Limit { body, .. }) => quote!(#body),
            None => quote!(::core::unreachable!("a select without a limit ends with a case")),
        };
        let chosen = Ident::new("chosen", hidden);
        quote!({
            #[allow(non_camel_case_types, clippy::enum_variant_names)]
            enum __Chosen<#(#variants),*> { #(#variants(#variants),)* Limit }
            #[allow(clippy::redundant_closure_call, unused_mut)]
            let #chosen = match (#(#values,)*) {
                (#(#bound,)*) => #take,
            };
            match #chosen {
                #(#arms)*
                __Chosen::Limit => #last,
            }
        })
    }

    fn limit_value(&self) -> TokenStream {
        let limit = quote!(::gopark::chan::Limit);
        match self.limit.as_ref().map(|limit| &limit.kind) {
            None => quote!(#limit::None),
            Some(LimitKind::Default) => quote!(#limit::Now),
            Some(LimitKind::After(it)) => quote_spanned!(it.span()=> #limit::After(#it)),
            Some(LimitKind::At(it)) => quote_spanned!(it.span()=> #limit::At(#it)),
        }
    }
}

impl Case {
    /// What makes the case. References and smart pointers to a handle will do: the
    /// `match` keeps the type that is wanted from what is written.
    fn value(&self) -> TokenStream {
        let (handle, made) = match &self.operation {
            Operation::Recv { receiver } => (receiver, quote!(Receiver::case)),
            Operation::Send { sender, .. } => (sender, quote!(Sender::case)),
        };
        // At the user's place, so that an error about the type points there.
        let place = Span::mixed_site().located_at(handle.span());
        let name = Ident::new("handle", place);
        let value = match &self.operation {
            Operation::Recv { .. } => None,
            Operation::Send { value, .. } => Some(value),
        };
        let call = quote_spanned!(place=> ::gopark::chan::#made(#name, #value));
        quote!(match &(#handle) { #name => #call })
    }
}

/// Reads exactly so many expressions in parentheses.
fn arguments<const N: usize>(
    word: &Ident,
    right: &str,
    input: ParseStream<'_>,
) -> Result<[Expr; N]> {
    if !input.peek(token::Paren) {
        return Err(Error::new(word.span(), format!("write `{right}`")));
    }
    let content;
    let parens = syn::parenthesized!(content in input);
    let list = Punctuated::<Expr, Token![,]>::parse_terminated(&content)?;
    let given = list.len();
    let list: Vec<Expr> = list.into_iter().collect();
    list.try_into().map_err(|_| {
        let message = format!("`{word}` takes {N}, not {given}: write `{right}`");
        Error::new(parens.span.join(), message)
    })
}

/// Reads `=> body`, and the comma behind it.
fn body(input: ParseStream<'_>, expected: &str) -> Result<Expr> {
    if !input.peek(Token![=>]) {
        return Err(input.error(format!("expected {expected}")));
    }
    input.parse::<Token![=>]>()?;
    let body = input.call(Expr::parse_with_earlier_boundary_rule)?;
    if input.peek(Token![,]) {
        input.parse::<Token![,]>()?;
    } else if !input.is_empty() && !ends_by_itself(&body) {
        return Err(input.error("expected `,` between two cases"));
    }
    Ok(body)
}

/// Needs no comma, as in a `match`.
fn ends_by_itself(body: &Expr) -> bool {
    matches!(
        body,
        Expr::Block(_)
            | Expr::Const(_)
            | Expr::ForLoop(_)
            | Expr::If(_)
            | Expr::Loop(_)
            | Expr::Match(_)
            | Expr::TryBlock(_)
            | Expr::Unsafe(_)
            | Expr::While(_)
    )
}

/// Leaves the input behind the case in which a mistake was, so that the others are
/// looked at too: behind a comma, or a block that follows a `=>`.
fn skip_case(input: ParseStream<'_>) -> Result<()> {
    let mut behind_arrow = false;
    while !input.is_empty() {
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
            break;
        }
        if input.peek(Token![=>]) {
            input.parse::<Token![=>]>()?;
            behind_arrow = true;
            continue;
        }
        let is_body = behind_arrow && input.peek(token::Brace);
        input.parse::<proc_macro2::TokenTree>()?;
        if is_body {
            if input.peek(Token![,]) {
                input.parse::<Token![,]>()?;
            }
            break;
        }
        behind_arrow = false;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> TokenStream {
        text.parse().expect("tokens")
    }

    fn errors(text: &str) -> Vec<String> {
        match Select::parse(tokens(text)) {
            Ok(_) => Vec::new(),
            Err(all) => all.into_iter().map(|it| it.to_string()).collect(),
        }
    }

    #[track_caller]
    fn is_wrong(text: &str, message: &str) {
        let errors = errors(text);
        assert!(errors.len() == 1 && errors[0].contains(message), "{text}: {errors:#?}");
    }

    #[test]
    fn every_kind_of_case() {
        let text = "recv(a) -> Ok(x) | Err(x) => {} recv(b) => 1, send(c, 1 + 2,) -> _ => if x {} \
                    after(d) => return, recv(e) -> mut e => f(e)?";
        let select = Select::parse(tokens(text)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(select.cases.len(), 4);
        let limit = select.limit.expect("a limit");
        assert!(matches!(limit.kind, LimitKind::After(_)));
        assert_eq!(limit.behind, 3);
        for text in ["", "default => {}", "at(t) => x,", "recv(a) => loop {} default => 1"] {
            assert!(Select::parse(tokens(text)).is_ok(), "{text}");
        }
    }

    #[test]
    fn mistakes() {
        is_wrong("receive(a) => {}", "there is no case `receive`; a case is `recv(receiver)");
        is_wrong("7 => {}", "expected a case");
        is_wrong("recv => {}", "write `recv(receiver)`");
        is_wrong("recv() => {}", "`recv` takes 1, not 0");
        is_wrong("send(a) -> _ => {}", "`send` takes 2, not 1: write `send(sender, value)`");
        is_wrong("send(a, 1) => {}", "a send has a result");
        is_wrong("recv(a) {}", "expected `-> result` or `=>`");
        is_wrong("default {}", "expected `=>`");
        is_wrong("default(d) => {}", "`default` takes no arguments");
        is_wrong("after(d) -> x => {}", "`after` has no result");
        is_wrong("recv(a) => 1 recv(b) => 2", "expected `,` between two cases");
        is_wrong("default => 1, recv(a) => 2, default => 3", "there is a `default` already");
        is_wrong("after(d) => 1, default => 3", "`default` and `after` exclude each other");
    }

    #[test]
    fn every_mistake_is_reported() {
        let all = errors("rcv(a) -> x => { a, b } send(c) -> _ => 1, recv(d) => {} dflt => 2");
        assert_eq!(all.len(), 3, "{all:#?}");
    }
}
