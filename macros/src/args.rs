//! Arguments of `#[verify_none]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::ParseStream;
use syn::{Ident, LitStr, Path, Result, Token};

use crate::values::{Settings, Valid, label, switch, text};

const VALID: Valid = Valid(&[
    ("settle", "settle = \"20ms\""),
    ("deadline", "deadline = \"1s\""),
    ("hang", "hang = \"10s\""),
    ("threads", "threads = true"),
    ("creation_stacks", "creation_stacks = true"),
    ("before_check", "before_check = function"),
    ("cleanup", "cleanup = function"),
    ("ignore_name", "ignore_name = \"…\""),
    ("ignore_label", "ignore_label = \"key=value\""),
    ("ignore_entry", "ignore_entry = \"…\""),
    ("ignore_top_function", "ignore_top_function = \"…\""),
    ("ignore_any_function", "ignore_any_function = \"…\""),
    ("ignore_created_by", "ignore_created_by = \"…\""),
    ("ignore_site", "ignore_site = \"…\""),
    ("ignore_current", "ignore_current"),
]);

/// What was written between the parentheses.
#[derive(Default)]
pub(crate) struct Args {
    settings: Settings,
    /// The method of `Options`, and the function for it.
    hooks: Vec<(Ident, Path)>,
    /// The method of `Filter`, and the patterns for it.
    ignores: Vec<(Ident, Vec<LitStr>)>,
}

impl Args {
    /// Reads the arguments; an error holds every mistake, each at its place.
    pub(crate) fn parse(tokens: TokenStream) -> Result<Args> {
        let mut args = Args::default();
        VALID.parse(tokens, |name, input| args.parse_one(name, input))?;
        Ok(args)
    }

    fn parse_one(&mut self, name: &Ident, input: ParseStream<'_>) -> Result<()> {
        if self.settings.parse_one(name, input)? {
            return Ok(());
        }
        let patterns = match name.to_string().as_str() {
            "before_check" | "cleanup" => {
                self.hooks.push((name.clone(), function(name, input)?));
                return Ok(());
            }
            "ignore_current" => match switch(name, input)? {
                true => Vec::new(),
                false => return Ok(()),
            },
            "ignore_label" => {
                let (key, value) = label(name, input)?;
                vec![key, value]
            }
            _ => vec![text(name, "would ignore nothing", input)?],
        };
        self.ignores.push((name.clone(), patterns));
        Ok(())
    }

    /// The expression that builds the same as `leakcheck::Options`.
    pub(crate) fn to_options(&self) -> TokenStream {
        let settings = self.settings.to_calls();
        let hooks = self.hooks.iter().map(|(method, function)| quote!(.#method(#function)));
        let filter = (!self.ignores.is_empty()).then(|| {
            let rules = self.ignores.iter();
            let rules = rules.map(|(method, patterns)| quote!(.#method(#(#patterns),*)));
            quote!(.filter(::leakcheck::Filter::new() #(#rules)*))
        });
        quote!(::leakcheck::Options::new() #settings #(#hooks)* #filter)
    }
}

/// Reads `= path::to::function`.
fn function(name: &Ident, input: ParseStream<'_>) -> Result<Path> {
    let right = format!("write `{name} = function`, with a function that takes nothing");
    let missing = || syn::Error::new(name.span(), format!("`{name}` needs a value: {right}"));
    if input.is_empty() || input.peek(Token![,]) {
        return Err(missing());
    }
    if !input.peek(Token![=]) {
        return Err(input.error(format!("expected `=`: {right}")));
    }
    input.parse::<Token![=]>()?;
    let at = input.span();
    let wrong = |_| syn::Error::new(at, format!("expected the name of a function: {right}"));
    input.parse::<Path>().map_err(wrong)
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

    fn options(text: &str) -> String {
        let tokens: TokenStream = text.parse().expect("tokens");
        let args = Args::parse(tokens).unwrap_or_else(|error| panic!("{error}"));
        args.to_options().to_string().replace(' ', "")
    }

    #[test]
    fn everything_at_once() {
        let calls = options(
            r#"settle = "0", deadline = "2s", hang = "1m", threads = true, creation_stacks,
               ignore_name = "a", ignore_name = "b*", ignore_label = "k=v=w", ignore_current,
               cleanup = self::tidy, ignore_site = "c.rs","#,
        );
        let time = |secs: u64| format!("(::core::time::Duration::new({secs}u64,0u32))");
        let expected = format!(
            "::leakcheck::Options::new().settle{}.deadline{}.hang{}\
             .threads(true).creation_stacks(true).cleanup(self::tidy)\
             .filter(::leakcheck::Filter::new().ignore_name(\"a\").ignore_name(\"b*\")\
             .ignore_label(\"k\",\"v=w\").ignore_current().ignore_site(\"c.rs\"))",
            time(0),
            time(2),
            time(60)
        );
        assert_eq!(calls, expected);
        assert_eq!(options("ignore_current = false"), "::leakcheck::Options::new()");
        assert_eq!(options(""), "::leakcheck::Options::new()");
    }

    #[test]
    fn every_mistake_is_reported() {
        let all =
            errors(r#"setle = "20ms", deadline = 5, settle = "soon", ignore_name, settle = "1s""#);
        assert_eq!(all.len(), 4, "{all:#?}");
        assert!(all[0].starts_with("unknown argument `setle`; did you mean `settle`? valid"));
        assert!(all[1].contains("is a string: write `deadline = \"20ms\"`"));
        assert!(all[2].contains("`soon` is not a duration"));
        assert!(all[3].contains("`ignore_name` needs a value"));
        assert_eq!(errors(r#"settle = "1s", settle = "2s""#), ["`settle` is given twice"]);
        assert_eq!(errors("threads = 1"), ["the value of `threads` is `true` or `false`"]);
        assert_eq!(errors("threads, threads"), ["`threads` is given twice"]);
        let all = errors(r#"ignore_label = "key", ignore_site = "" , cleanup, cleanup = 7"#);
        assert_eq!(all.len(), 4, "{all:#?}");
        assert_eq!(all[0], "`key` is no label: write `ignore_label = \"key=value\"`");
        assert_eq!(all[1], "`ignore_site` is empty and would ignore nothing");
        assert!(all[2].starts_with("`cleanup` needs a value"));
        assert!(all[3].starts_with("expected the name of a function"));
        let all = errors(r#"settle = "1s" deadline = "2s""#);
        assert_eq!(all, ["expected `,` behind the value of `settle`"]);
    }
}
