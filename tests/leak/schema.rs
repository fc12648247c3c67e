//! As much of JSON Schema as the schema of the reports uses. A word that is not known
//! here is an error, so that the schema cannot say what nobody checks.

use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// What is wrong with the value, if something is.
pub(crate) fn check(schema: &Value, value: &Value) -> Result<(), String> {
    at(schema, schema, value, "$")
}

fn object(value: &Value) -> &Object {
    value.as_object().expect("an object")
}

fn at(root: &Value, schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    let schema = object(schema);
    if let Some(name) = schema.get("$ref") {
        let name = name.as_str().expect("a name");
        let name = name.strip_prefix("#/$defs/").expect("a definition");
        return at(root, &object(&object(root)["$defs"])[name], value, path);
    }
    let wrong = |why: &str| Err(format!("{path}: {why}: {value:?}"));
    for (word, rule) in schema {
        match word.as_str() {
            "$schema" | "$defs" | "title" | "description" => {}
            "type" => {
                let name = rule.as_str().expect("a type");
                if !is_a(name, value) {
                    return wrong(&format!("not of type {name}"));
                }
            }
            "const" if rule != value => return wrong(&format!("is not {rule:?}")),
            "const" => {}
            "enum" => {
                let values = rule.as_array().expect("a list");
                if !values.contains(value) {
                    return wrong("is none of those");
                }
            }
            "minimum" => {
                let least = rule.as_f64().expect("a number");
                if value.as_f64().is_some_and(|value| value < least) {
                    return wrong("too small");
                }
            }
            "pattern" => {
                assert_eq!(rule.as_str().unwrap(), "^0x[0-9a-f]+$");
                let text = value.as_str().expect("a text");
                let digits = text.strip_prefix("0x").unwrap_or_default();
                let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
                if digits.is_empty() || !digits.bytes().all(hex) {
                    return wrong("no address");
                }
            }
            "anyOf" => {
                let schemas = rule.as_array().expect("a list");
                let tried: Vec<_> = schemas.iter().map(|one| at(root, one, value, path)).collect();
                if tried.iter().all(Result::is_err) {
                    return wrong(&format!("none fits: {tried:?}"));
                }
            }
            "items" => {
                if let Some(items) = value.as_array() {
                    for (n, item) in items.iter().enumerate() {
                        at(root, rule, item, &format!("{path}[{n}]"))?;
                    }
                }
            }
            "minItems" => {
                let least = rule.as_f64().expect("a number");
                if value.as_array().is_some_and(|it| (it.len() as f64) < least) {
                    return wrong("too few");
                }
            }
            "required" => {
                let names = rule.as_array().expect("a list");
                for name in names {
                    let name = name.as_str().expect("a name");
                    if value.as_object().is_some_and(|it| !it.contains_key(name)) {
                        return wrong(&format!("without {name}"));
                    }
                }
            }
            "properties" | "additionalProperties" => {}
            word => panic!("{word} is not known"),
        }
    }
    fields(root, schema, value, path)
}

fn fields(root: &Value, schema: &Object, value: &Value, path: &str) -> Result<(), String> {
    let Some(fields) = value.as_object() else { return Ok(()) };
    let known = schema.get("properties").map(object);
    for (name, field) in fields {
        let path = format!("{path}.{name}");
        match (known.and_then(|known| known.get(name)), schema.get("additionalProperties")) {
            (Some(rule), _) => at(root, rule, field, &path)?,
            (None, Some(Value::Bool(false))) => return Err(format!("{path}: unknown")),
            (None, Some(rule)) => at(root, rule, field, &path)?,
            (None, None) => {}
        }
    }
    Ok(())
}

fn is_a(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        name => panic!("no type: {name}"),
    }
}

#[test]
fn what_does_not_fit_is_found() {
    let parse = |text: &str| text.parse::<Value>().expect("JSON");
    let schema = parse(
        r##"{"type":"object","required":["n"],"additionalProperties":false,
            "properties":{"n":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/n"}]},
                          "l":{"type":"array","minItems":1,"items":{"enum":["a"]}}},
            "$defs":{"n":{"type":"integer","minimum":1}}}"##,
    );
    for good in [r#"{"n":1}"#, r#"{"n":null,"l":["a","a"]}"#] {
        assert_eq!(check(&schema, &parse(good)), Ok(()), "{good}");
    }
    for bad in [
        "[]",
        "{}",
        r#"{"n":0}"#,
        r#"{"n":1.5}"#,
        r#"{"n":"1"}"#,
        r#"{"n":1,"m":1}"#,
        r#"{"n":1,"l":[]}"#,
        r#"{"n":1,"l":["b"]}"#,
    ] {
        assert!(check(&schema, &parse(bad)).is_err(), "{bad}");
    }
}
