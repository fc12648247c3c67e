//! Arguments of `#[verify_none]`.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Error, Ident, Lit, LitStr, Result, Token};

/// Every argument with a value that is right, for the error messages.
const VALID: &str = "valid arguments are `settle = \"20ms\"`, `deadline = \"1s\"`, \
     `ignore_name = \"…\"`, `ignore_entry = \"…\"` and `ignore_site = \"…\"`";

/// What was written between the parentheses.
#[derive(Default)]
pub(crate) struct Args {
    settle: Option<Duration>,
    deadline: Option<Duration>,
    /// The method of `Filter`, and the pattern for it.
    ignores: Vec<(Ident, LitStr)>,
}

impl Args {
    /// Reads the arguments; an error holds every mistake, each at its place.
    pub(crate) fn parse(tokens: TokenStream) -> Result<Args> {
        let mut args = Args::default();
        let mut errors: Option<Error> = None;
        let read = |input: ParseStream<'_>| {
            while !input.is_empty() {
                if let Err(error) = args.parse_one(input) {
                    match &mut errors {
                        Some(all) => all.combine(error),
                        None => errors = Some(error),
                    }
                    skip_to_comma(input)?;
                }
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        let end = read.parse2(tokens);
        match (errors, end) {
            (Some(errors), _) | (None, Err(errors)) => Err(errors),
            (None, Ok(())) => Ok(args),
        }
    }

    fn parse_one(&mut self, input: ParseStream<'_>) -> Result<()> {
        let Ok(name) = input.call(Ident::parse_any) else {
            return Err(input.error(format!("expected `argument = value`; {VALID}")));
        };
        match name.to_string().as_str() {
            "settle" => set_once(&mut self.settle, &name, duration(&name, input)?),
            "deadline" => set_once(&mut self.deadline, &name, duration(&name, input)?),
            "ignore_name" | "ignore_entry" | "ignore_site" => {
                let pattern = string(&name, "…", input)?;
                if pattern.value().is_empty() {
                    return Err(Error::new(
                        pattern.span(),
                        format!("`{name}` is empty and would ignore nothing"),
                    ));
                }
                self.ignores.push((name, pattern));
                Ok(())
            }
            _ => Err(Error::new(name.span(), format!("unknown argument `{name}`; {VALID}"))),
        }
    }

    /// The expression that builds the same as `leakcheck::Options`.
    pub(crate) fn to_options(&self) -> TokenStream {
        let settle = self.settle.map(|it| {
            let it = duration_tokens(it);
            quote!(.settle(#it))
        });
        let deadline = self.deadline.map(|it| {
            let it = duration_tokens(it);
            quote!(.deadline(#it))
        });
        let filter = (!self.ignores.is_empty()).then(|| {
            let rules = self.ignores.iter().map(|(method, pattern)| quote!(.#method(#pattern)));
            quote!(.filter(::leakcheck::Filter::new() #(#rules)*))
        });
        quote!(::leakcheck::Options::new() #settle #deadline #filter)
    }
}

fn set_once<T>(slot: &mut Option<T>, name: &Ident, value: T) -> Result<()> {
    if slot.is_some() {
        return Err(Error::new(name.span(), format!("`{name}` is given twice")));
    }
    *slot = Some(value);
    Ok(())
}

/// Reads `= "…"`; `example` is what could stand there.
fn string(name: &Ident, example: &str, input: ParseStream<'_>) -> Result<LitStr> {
    let right = format!("write `{name} = \"{example}\"`");
    if input.is_empty() || input.peek(Token![,]) {
        return Err(Error::new(name.span(), format!("`{name}` needs a value: {right}")));
    }
    if !input.peek(Token![=]) {
        return Err(input.error(format!("expected `=`: {right}")));
    }
    input.parse::<Token![=]>()?;
    match input.parse::<Lit>() {
        Ok(Lit::Str(it)) => Ok(it),
        Ok(other) => {
            Err(Error::new(other.span(), format!("the value of `{name}` is a string: {right}")))
        }
        Err(error) => Err(Error::new(error.span(), format!("expected a string: {right}"))),
    }
}

/// Reads `= "20ms"`.
fn duration(name: &Ident, input: ParseStream<'_>) -> Result<Duration> {
    let text = string(name, "20ms", input)?;
    parse_duration(&text.value()).ok_or_else(|| {
        let message = format!(
            "`{}` is not a duration; write a whole number and a unit (`us`, `ms`, `s` or `m`), \
             as in `{name} = \"20ms\"`",
            text.value()
        );
        Error::new(text.span(), message)
    })
}

/// A whole number and a unit; `0` needs none.
fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    match unit.trim_start() {
        "us" | "µs" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" | "min" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}

fn duration_tokens(it: Duration) -> TokenStream {
    let (secs, nanos) = (it.as_secs(), it.subsec_nanos());
    quote!(::core::time::Duration::new(#secs, #nanos))
}

/// Leaves the input at the next comma, or at its end, so that the arguments
/// behind a wrong one are looked at too.
fn skip_to_comma(input: ParseStream<'_>) -> Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<proc_macro2::TokenTree>()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<String> {
        let tokens: TokenStream = text.parse().expect("tokens");
        match Args::parse(tokens) {
            Ok(_) => Vec::new(),
            Err(all) => all.into_iter().map(|it| it.to_string()).collect(),
        }
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("0"), Some(Duration::ZERO));
        assert_eq!(parse_duration("250us"), Some(Duration::from_micros(250)));
        assert_eq!(parse_duration(" 20 ms "), Some(Duration::from_millis(20)));
        assert_eq!(parse_duration("3s"), Some(Duration::from_secs(3)));
        assert_eq!(parse_duration("2m"), Some(Duration::from_secs(120)));
        for wrong in [
            "",
            "20",
            "ms",
            "1.5s",
            "-1s",
            "20 hours",
            "99999999999999999999s",
            "18446744073709551615m",
        ] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn everything_at_once() {
        let tokens: TokenStream =
            r#"settle = "0", deadline = "2s", ignore_name = "a", ignore_name = "b", ignore_site = "c.rs","#
                .parse()
                .expect("tokens");
        let args = Args::parse(tokens).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(args.settle, Some(Duration::ZERO));
        assert_eq!(args.deadline, Some(Duration::from_secs(2)));
        let ignores: Vec<_> =
            args.ignores.iter().map(|(m, p)| (m.to_string(), p.value())).collect();
        let expected = [("ignore_name", "a"), ("ignore_name", "b"), ("ignore_site", "c.rs")];
        assert_eq!(ignores, expected.map(|(m, p)| (m.to_owned(), p.to_owned())));
    }

    #[test]
    fn every_mistake_is_reported() {
        let all =
            errors(r#"setle = "20ms", deadline = 5, settle = "soon", ignore_name, settle = "1s""#);
        assert_eq!(all.len(), 4, "{all:#?}");
        assert!(all[0].starts_with("unknown argument `setle`; valid arguments are `settle"));
        assert!(all[1].contains("is a string: write `deadline = \"20ms\"`"));
        assert!(all[2].contains("`soon` is not a duration"));
        assert!(all[3].contains("`ignore_name` needs a value"));
        assert_eq!(errors(r#"settle = "1s", settle = "2s""#), ["`settle` is given twice"]);
    }
}
