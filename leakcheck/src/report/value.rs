//! JSON, as much of it as a report needs: values that are written down once.
//!
//! Why not `serde_json`: it compares its values with integers and strings, and an
//! implementation that is anywhere among the dependencies takes part in inference.
//! `assert_eq!(len, "3".parse().unwrap())` does not compile any more in a crate whose
//! tests use this one. (It was tried: ten such places in the tests of the runtime.)

use std::fmt::{self, Display, Formatter, Write as _};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(u64),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(&'static str, Value)>),
    /// An object whose keys are data.
    Map(Vec<(String, Value)>),
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Value {
        Value::Number(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Value {
        Value::Number(value.into())
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Value {
        Value::Number(value as u64)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

impl<T: Into<Value>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Value {
        Value::List(items.into_iter().map(Into::into).collect())
    }
}

impl<const N: usize> From<[(&'static str, Value); N]> for Value {
    fn from(fields: [(&'static str, Value); N]) -> Value {
        Value::Object(fields.into())
    }
}

/// Without blanks and line breaks: one value is one line.
impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => value.fmt(f),
            Value::Number(value) => value.fmt(f),
            Value::Text(text) => write_text(f, text),
            Value::List(items) => {
                f.write_char('[')?;
                separated(f, items, |f, item| item.fmt(f))?;
                f.write_char(']')
            }
            Value::Object(fields) => write_fields(f, fields),
            Value::Map(fields) => write_fields(f, fields),
        }
    }
}

fn write_fields<K: AsRef<str>>(f: &mut Formatter<'_>, fields: &[(K, Value)]) -> fmt::Result {
    f.write_char('{')?;
    separated(f, fields, |f, (key, value)| {
        write_text(f, key.as_ref())?;
        write!(f, ":{value}")
    })?;
    f.write_char('}')
}

fn separated<T>(
    f: &mut Formatter<'_>,
    items: &[T],
    mut each: impl FnMut(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            f.write_char(',')?;
        }
        each(f, item)?;
    }
    Ok(())
}

fn write_text(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            // Two that are line breaks for some readers of lines.
            c if c < ' ' || matches!(c, '\u{7f}' | '\u{2028}' | '\u{2029}') => {
                write!(f, "\\u{:04x}", u32::from(c))?;
            }
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_line() {
        let value = Value::from([
            ("none", None::<u64>.into()),
            ("list", [1u64, u64::MAX].into_iter().collect()),
            ("empty", Value::List(vec![])),
            ("map", Value::Map(vec![("a \"b\"\\".to_owned(), true.into())])),
            ("text", "ä\n\r\t\u{1}\u{7f}\u{2028}/".into()),
        ]);
        assert_eq!(
            value.to_string(),
            r#"{"none":null,"list":[1,18446744073709551615],"empty":[],"map":{"a \"b\"\\":true},"text":"ä\n\r\t\u0001\u007f\u2028/"}"#
        );
    }
}
