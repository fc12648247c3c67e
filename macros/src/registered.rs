//! What `ignore!` and `defaults!` become: a static that `leakcheck` finds in the
//! program.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Error, Ident, LitStr, Result};

use crate::values::{Settings, Valid, label, text};

const IGNORE: Valid = Valid(&[
    ("name", "name = \"…\""),
    ("label", "label = \"key=value\""),
    ("entry", "entry = \"…\""),
    ("top_function", "top_function = \"…\""),
    ("any_function", "any_function = \"…\""),
    ("created_by", "created_by = \"…\""),
    ("site", "site = \"…\""),
    ("reason", "reason = \"…\""),
]);

const DEFAULTS: Valid = Valid(&[
    ("settle", "settle = \"20ms\""),
    ("deadline", "deadline = \"1s\""),
    ("hang", "hang = \"10s\""),
    ("threads", "threads = true"),
    ("creation_stacks", "creation_stacks = true"),
]);

/// `ignore!`.
pub(crate) fn ignore(tokens: TokenStream) -> TokenStream {
    submit(parse_ignore(tokens))
}

/// `defaults!`.
pub(crate) fn defaults(tokens: TokenStream) -> TokenStream {
    submit(parse_defaults(tokens))
}

/// An item that registers the value, or the errors.
fn submit(value: Result<TokenStream>) -> TokenStream {
    match value {
        Ok(value) => quote!(::leakcheck::__private::inventory::submit! { #value }),
        Err(error) => error.into_compile_error(),
    }
}

fn parse_ignore(tokens: TokenStream) -> Result<TokenStream> {
    let mut criteria: Vec<TokenStream> = Vec::new();
    let mut reason: Option<LitStr> = None;
    IGNORE.parse(tokens, |name, input| {
        let (variant, patterns) = match name.to_string().as_str() {
            "reason" => {
                reason = Some(text(name, "says nothing to who reads it", input)?);
                return Ok(());
            }
            "label" => {
                let (key, value) = label(name, input)?;
                ("Label", vec![key, value])
            }
            "name" => ("Name", vec![text(name, "would ignore nothing", input)?]),
            "entry" => ("Entry", vec![text(name, "would ignore nothing", input)?]),
            "top_function" => ("TopFunction", vec![text(name, "would ignore nothing", input)?]),
            "any_function" => ("AnyFunction", vec![text(name, "would ignore nothing", input)?]),
            "created_by" => ("CreatedBy", vec![text(name, "would ignore nothing", input)?]),
            _ => ("Site", vec![text(name, "would ignore nothing", input)?]),
        };
        let variant = Ident::new(variant, Span::call_site());
        criteria.push(quote!(::leakcheck::__private::Criterion::#variant(#(#patterns),*)));
        Ok(())
    })?;
    if criteria.is_empty() {
        let message = "this would ignore every task: say which, as in `name = \"…\"` or \
                       `created_by = \"…\"`";
        return Err(Error::new(Span::call_site(), message));
    }
    let Some(reason) = reason else {
        let message = "`reason` is missing: say why these tasks are no leaks, as in \
                       `reason = \"the pool of the process; it never ends\"`";
        return Err(Error::new(Span::call_site(), message));
    };
    Ok(quote! {
        ::leakcheck::__private::Ignore::new(
            &[#(#criteria),*],
            #reason,
            ::core::file!(),
            ::core::line!(),
        )
    })
}

fn parse_defaults(tokens: TokenStream) -> Result<TokenStream> {
    let mut settings = Settings::default();
    DEFAULTS.parse(tokens, |name, input| settings.parse_one(name, input).map(|_| ()))?;
    if settings.is_empty() {
        let message = "this states nothing: write a setting, as in `deadline = \"5s\"`";
        return Err(Error::new(Span::call_site(), message));
    }
    let calls = settings.to_calls();
    Ok(quote! {
        ::leakcheck::__private::Defaults::new(
            ::core::module_path!(),
            ::core::file!(),
            ::core::line!(),
        ) #calls
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> TokenStream {
        text.parse().expect("tokens")
    }

    fn errors(text: &str) -> Vec<String> {
        let all = parse_ignore(tokens(text)).expect_err("an error");
        all.into_iter().map(|it| it.to_string()).collect()
    }

    #[test]
    fn an_ignore_needs_a_criterion_and_a_reason() {
        assert!(parse_ignore(tokens(r#"created_by = "a::*", reason = "b""#)).is_ok());
        assert!(errors(r#"reason = "b""#)[0].starts_with("this would ignore every task"));
        assert!(errors(r#"name = "a""#)[0].starts_with("`reason` is missing"));
        assert!(errors(r#"name = "a", reason = " ""#)[0].starts_with("`reason` is empty"));
        assert_eq!(errors(r#"name = "a", name = "b""#), ["`name` is given twice"]);
        let all = errors(r#"ignore_name = "a", resaon = "b", site"#);
        assert_eq!(all.len(), 3, "{all:#?}");
        assert!(all[0].contains("did you mean `name`?"));
        assert!(all[1].contains("did you mean `reason`?"));
        assert!(all[2].contains("`site` needs a value"));
    }

    #[test]
    fn defaults_are_settings() {
        let calls = parse_defaults(tokens(r#"settle = "5ms", threads = false"#)).expect("right");
        let calls = calls.to_string().replace(' ', "");
        assert!(calls.contains(".settle(::core::time::Duration::new(0u64,5000000u32))"), "{calls}");
        assert!(calls.ends_with(".threads(false)"), "{calls}");
        let error = parse_defaults(tokens("")).expect_err("an error").to_string();
        assert!(error.starts_with("this states nothing"));
        let error = parse_defaults(tokens(r#"name = "a""#)).expect_err("an error").to_string();
        assert!(error.contains("valid arguments are `settle"), "{error}");
    }
}
