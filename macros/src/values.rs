//! Lists of `name = value`, and what is wrong with them: every mistake at its place,
//! each with what would be right.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Error, Ident, Lit, LitStr, Result, Token};

/// The arguments that a macro takes: each name, and how it is written with a value.
pub(crate) struct Valid(pub(crate) &'static [(&'static str, &'static str)]);

impl Valid {
    /// What is said about a name that is none of them.
    fn unknown(&self, name: &Ident) -> Error {
        let name_is = name.to_string();
        let near = self.nearest(&name_is);
        let near = near.map(|it| format!("; did you mean `{it}`?")).unwrap_or_default();
        let message = format!("unknown argument `{name_is}`{near} {}", self.list());
        let message = if near.is_empty() { message.replacen("` ", "`; ", 1) } else { message };
        Error::new(name.span(), message)
    }

    /// The name that was meant, if one looks much like it.
    fn nearest(&self, name: &str) -> Option<&'static str> {
        let name = name.to_ascii_lowercase();
        let score = |valid: &str| strsim::jaro_winkler(valid, &name);
        let names = self.0.iter().map(|(valid, _)| *valid);
        let alike = names
            .clone()
            // `created_by` where `ignore_created_by` is right, and the other way round.
            .find(|valid| {
                valid.ends_with(&format!("_{name}")) || name.ends_with(&format!("_{valid}"))
            });
        alike.or_else(|| {
            let best = names.max_by(|a, b| score(a).total_cmp(&score(b)))?;
            (score(best) >= 0.85).then_some(best)
        })
    }

    /// All of them, for the error messages.
    fn list(&self) -> String {
        let all: Vec<String> = self.0.iter().map(|(_, right)| format!("`{right}`")).collect();
        match &all[..] {
            [first @ .., last] if !first.is_empty() => {
                format!("valid arguments are {} and {last}", first.join(", "))
            }
            _ => format!("the valid argument is {}", all.concat()),
        }
    }

    /// Reads a list of arguments. `one` gets each name that is valid, and reads what
    /// follows it; an error holds every mistake.
    pub(crate) fn parse(
        &self,
        tokens: TokenStream,
        mut one: impl FnMut(&Ident, ParseStream<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut errors: Option<Error> = None;
        let mut seen: Vec<Ident> = Vec::new();
        let read = |input: ParseStream<'_>| {
            while !input.is_empty() {
                if let Err(error) = self.parse_one(input, &mut seen, &mut one) {
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
        errors.map_or(end, Err)
    }

    fn parse_one(
        &self,
        input: ParseStream<'_>,
        seen: &mut Vec<Ident>,
        one: &mut impl FnMut(&Ident, ParseStream<'_>) -> Result<()>,
    ) -> Result<()> {
        let Ok(name) = input.call(Ident::parse_any) else {
            return Err(input.error(format!("expected `argument = value`; {}", self.list())));
        };
        if !self.0.iter().any(|(valid, _)| name == valid) {
            return Err(self.unknown(&name));
        }
        one(&name, input)?;
        if !input.is_empty() && !input.peek(Token![,]) {
            return Err(input.error(format!("expected `,` behind the value of `{name}`")));
        }
        let once = !(name.to_string().starts_with("ignore_") && name != "ignore_current");
        if once && seen.contains(&name) {
            return Err(Error::new(name.span(), format!("`{name}` is given twice")));
        }
        seen.push(name);
        Ok(())
    }
}

/// Reads `=`; `right` is how all of it is written.
fn equals(name: &Ident, right: &str, input: ParseStream<'_>) -> Result<()> {
    if input.is_empty() || input.peek(Token![,]) {
        return Err(Error::new(name.span(), format!("`{name}` needs a value: write `{right}`")));
    }
    if !input.peek(Token![=]) {
        return Err(input.error(format!("expected `=`: write `{right}`")));
    }
    input.parse::<Token![=]>()?;
    Ok(())
}

/// Reads `= "…"`; `example` is what could stand there.
fn string(name: &Ident, example: &str, input: ParseStream<'_>) -> Result<LitStr> {
    let right = format!("{name} = \"{example}\"");
    equals(name, &right, input)?;
    match input.parse::<Lit>() {
        Ok(Lit::Str(it)) => Ok(it),
        Ok(other) => Err(Error::new(
            other.span(),
            format!("the value of `{name}` is a string: write `{right}`"),
        )),
        Err(error) => Err(Error::new(error.span(), format!("expected a string: write `{right}`"))),
    }
}

/// Reads `= "…"` with something between the quotes; `without` is what comes of nothing.
pub(crate) fn text(name: &Ident, without: &str, input: ParseStream<'_>) -> Result<LitStr> {
    let text = string(name, "…", input)?;
    if text.value().trim().is_empty() {
        return Err(Error::new(text.span(), format!("`{name}` is empty and {without}")));
    }
    Ok(text)
}

/// Reads `= "key=value"`.
pub(crate) fn label(name: &Ident, input: ParseStream<'_>) -> Result<(LitStr, LitStr)> {
    let text = string(name, "key=value", input)?;
    match text.value().split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            Ok((LitStr::new(key, text.span()), LitStr::new(value, text.span())))
        }
        _ => Err(Error::new(
            text.span(),
            format!("`{}` is no label: write `{name} = \"key=value\"`", text.value()),
        )),
    }
}

/// Reads `= true`, or `= false`, or nothing, which is `true`.
pub(crate) fn switch(name: &Ident, input: ParseStream<'_>) -> Result<bool> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(true);
    }
    equals(name, &format!("{name} = true"), input)?;
    let wrong = |span| {
        let message = format!("the value of `{name}` is `true` or `false`");
        Error::new(span, message)
    };
    match input.parse::<Lit>() {
        Ok(Lit::Bool(it)) => Ok(it.value),
        Ok(other) => Err(wrong(other.span())),
        Err(error) => Err(wrong(error.span())),
    }
}

/// Reads `= "20ms"`.
pub(crate) fn duration(name: &Ident, input: ParseStream<'_>) -> Result<Duration> {
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

/// Times and switches that a check, or a crate for all of its checks, may state.
#[derive(Default)]
pub(crate) struct Settings {
    times: Vec<(Ident, Duration)>,
    switches: Vec<(Ident, bool)>,
}

impl Settings {
    /// Reads the value of a setting; `false`: the name is none of a setting.
    pub(crate) fn parse_one(&mut self, name: &Ident, input: ParseStream<'_>) -> Result<bool> {
        match name.to_string().as_str() {
            "settle" | "deadline" | "hang" => {
                self.times.push((name.clone(), duration(name, input)?));
            }
            "threads" | "creation_stacks" => {
                self.switches.push((name.clone(), switch(name, input)?));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.times.is_empty() && self.switches.is_empty()
    }

    /// The calls that state them: `.settle(…).threads(…)`.
    pub(crate) fn to_calls(&self) -> TokenStream {
        let times = self.times.iter().map(|(name, it)| {
            let (secs, nanos) = (it.as_secs(), it.subsec_nanos());
            quote!(.#name(::core::time::Duration::new(#secs, #nanos)))
        });
        let switches = self.switches.iter().map(|(name, on)| quote!(.#name(#on)));
        quote!(#(#times)* #(#switches)*)
    }
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
    use proc_macro2::Span;

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
    fn what_was_meant() {
        let valid = Valid(&[
            ("settle", "settle = \"20ms\""),
            ("ignore_created_by", "ignore_created_by = \"…\""),
            ("name", "name = \"…\""),
        ]);
        assert_eq!(valid.nearest("setle"), Some("settle"));
        assert_eq!(valid.nearest("Settle"), Some("settle"));
        assert_eq!(valid.nearest("created_by"), Some("ignore_created_by"));
        assert_eq!(valid.nearest("ignore_create_by"), Some("ignore_created_by"));
        assert_eq!(valid.nearest("ignore_name"), Some("name"));
        assert_eq!(valid.nearest("retries"), None);
        let error = |name: &str| valid.unknown(&Ident::new(name, Span::call_site())).to_string();
        assert_eq!(
            error("setle"),
            "unknown argument `setle`; did you mean `settle`? valid arguments are \
             `settle = \"20ms\"`, `ignore_created_by = \"…\"` and `name = \"…\"`"
        );
        assert!(error("retries").starts_with("unknown argument `retries`; valid arguments are"));
    }
}
