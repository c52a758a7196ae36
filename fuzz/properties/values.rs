//! Arguments for each kind of type: what is taken is what the schema says, and comes back as the same.
//!
//! Input: the number of the function in a byte, taken modulo how many there are; then the JSON text of its argument.

use std::sync::OnceLock;

use casemate_runtime::inspect::{InspectedTool, IntakeLimits, inspect};
use casemate_runtime::value::{EmitError, parse_args, result_to_json};
use casemate_runtime::wit::WitType;
use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// One function for each kind of type, `values.wit` beside it.
const COMPONENT: &[u8] = include_bytes!("values.wasm");
/// Kinds in it.
pub const FUNCTIONS: usize = 31;
/// More than any result of an input has.
const ENOUGH: u64 = 64 << 20;

struct Function {
    tool: InspectedTool,
    takes: Validator,
    gives: Validator,
}

fn functions() -> &'static [Function] {
    static FOUND: OnceLock<Vec<Function>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let component = inspect(COMPONENT, None, &IntakeLimits::default()).unwrap();
        assert_eq!(component.tools().len(), FUNCTIONS);
        let tools = component.tools().iter().map(|tool| Function {
            tool: tool.clone(),
            takes: validator(tool.input_schema()),
            gives: validator(tool.output_schema()),
        });
        tools.collect()
    })
}

fn validator(schema: &Map<String, Value>) -> Validator {
    jsonschema::draft202012::new(&Value::Object(schema.clone())).unwrap()
}

pub fn check(data: &[u8]) {
    let Some((number, text)) = data.split_first() else {
        return;
    };
    let Some(function) = functions().get(usize::from(*number) % FUNCTIONS) else {
        return;
    };
    let Ok(given) = serde_json::from_slice::<Value>(text) else {
        return;
    };
    let arguments = json!({ "value": given });
    let ty = &function.tool.ty;
    match parse_args(ty, arguments.clone()) {
        Ok(values) => {
            assert!(
                function.takes.is_valid(&arguments),
                "{} takes {given}, and its schema does not",
                function.tool.function
            );
            let ([value], [parameter]) = (values.as_slice(), ty.params.as_slice()) else {
                panic!("{values:?}")
            };
            let back = result_to_json(&parameter.ty, value, ENOUGH).unwrap();
            assert!(
                function.gives.is_valid(&json!({ "result": [back] })),
                "{} gives {back}",
                function.tool.function
            );
            let again = json!({ "value": back });
            assert!(
                function.takes.is_valid(&again),
                "{} would not take {back}",
                function.tool.function
            );
            // Through the text, as it goes over the wire.
            let wire: Value = serde_json::from_str(&again.to_string()).unwrap();
            assert_eq!(parse_args(ty, wire).as_ref(), Ok(&values), "{back}");
            let length = back.to_string().len() as u64;
            assert!(
                result_to_json(&parameter.ty, value, length).is_ok(),
                "{back} has {length} bytes"
            );
            if let Some(less) = length.checked_sub(1) {
                let cut = result_to_json(&parameter.ty, value, less);
                let whole = EmitError::TooLarge {
                    bytes: less + 1,
                    max_bytes: less,
                };
                assert_eq!(cut, Err(whole), "{back}");
            }
        }
        Err(error) => {
            let message = error.to_string();
            assert!(error.path().starts_with("arguments.value"), "{message}");
            assert!(
                message.len() <= 1024 && !message.chars().any(char::is_control),
                "{message:?}"
            );
            // A schema counts the digits of a 64-bit integer, names an encoding, and knows nothing of what a float can hold.
            let beyond = says_more(&parameter_of(function).ty);
            assert!(
                beyond || !function.takes.is_valid(&arguments),
                "{} does not take {given}, and its schema does: {message}",
                function.tool.function
            );
        }
    }
    let stray = json!({ "value": given, "other": null });
    assert!(parse_args(ty, stray).is_err());
}

fn parameter_of(function: &Function) -> &casemate_runtime::wit::Parameter {
    function.tool.ty.params.first().unwrap()
}

/// Whether values of a type have to be more than its schema can say.
fn says_more(ty: &WitType) -> bool {
    let text = format!("{ty:?}");
    ["U64", "S64", "List(U8)", "F32", "F64", "Map("]
        .iter()
        .any(|kind| text.contains(kind))
}
