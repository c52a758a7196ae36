use super::{Ceiling, lower};
use casemate_policy::Policy;

#[test]
fn a_ceiling_of_the_command_line_never_lifts_the_organisations() {
    let allowing = |hosts: &[&str]| {
        let mut text = "version: \"1.0\"\npermissions:\n  network:\n    allow:\n".to_owned();
        hosts
            .iter()
            .for_each(|host| text.push_str(&format!("      - host: \"{host}\"\n")));
        Ceiling {
            policy: Policy::parse(&text).unwrap(),
            file: format!("{}.yaml", hosts.len()).into(),
        }
    };
    let narrow = allowing(&["a.example"]);
    let wide = allowing(&["a.example", "b.example"]);
    assert_eq!(
        lower(Some(wide.clone()), Some(narrow.clone())).unwrap(),
        Some(narrow.clone())
    );
    assert!(lower(Some(narrow.clone()), Some(wide.clone())).is_err());
    assert_eq!(lower(Some(narrow.clone()), None).unwrap(), Some(narrow));
    assert_eq!(lower(None, Some(wide.clone())).unwrap(), Some(wide));
    assert_eq!(lower(None, None).unwrap(), None);
}
