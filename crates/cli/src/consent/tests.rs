use super::screen::{json, page};
use super::*;

const ASKS: &str = "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - { uri: \"fs://workspace/**\", access: [read] }\n      - { uri: \"fs://workspace/out/**\", access: [write] }\n    deny:\n      - { uri: \"fs://workspace/.git/**\" }\n  network:\n    allow:\n      - { host: api.github.com }\n  environment:\n    allow:\n      - { key: GITHUB_TOKEN }\n";

fn requested(origin: RequestOrigin, text: &str) -> Requested {
    Requested {
        origin,
        text: text.to_owned(),
        policy: Policy::parse(text),
    }
}

fn asked(text: &str) -> Asked {
    Asked::of(&[requested(RequestOrigin::Layer, text)], &["go"]).unwrap()
}

fn offer(present: &str, ceiling: Option<&str>) -> Offer {
    let ceiling = ceiling.map(|text| Policy::parse_ceiling(text).unwrap());
    let present = Policy::parse(present).unwrap();
    Offer::of(
        &Policy::parse(ASKS).unwrap(),
        &present,
        None,
        ceiling.as_ref(),
    )
}

#[test]
fn a_request_is_ranked_and_combinations_are_called_out() {
    let shown = page(&asked(ASKS), Some(&offer("", None))).plain();
    insta::assert_snapshot!(shown, @r"
    It asks for
      in the policy that was published with it; a request, of which nothing is granted yet
      high    see the environment variable GITHUB_TOKEN
              variables of such names hold credentials
      medium  read all files below fs://workspace
      medium  write all files below fs://workspace/out
      medium  send requests to api.github.com over https
      and narrows itself, whatever you answer:
              never read, write or make symbolic links of fs://workspace/.git and what is below it
      Together these would let it
      high    send secrets that it sees (GITHUB_TOKEN) to api.github.com
      high    send what it reads (fs://workspace/**) to api.github.com
      medium  write what comes from api.github.com into your files (fs://workspace/out/**)
    ");
}

#[test]
fn the_ceiling_cuts_what_is_offered_and_says_so() {
    let ceiling = "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - { uri: \"fs://workspace/notes/**\", access: [read] }\n";
    let offer = offer("", Some(ceiling));
    assert_eq!(offer.ask, BTreeSet::from([0]));
    assert_eq!(offer.barred, BTreeSet::from([1, 3, 4]));
    let shown = page(&asked(ASKS), Some(&offer)).plain();
    assert!(
        shown.contains(
            "read all files below fs://workspace  (only as far as the ceiling allows it)"
        ),
        "{shown}"
    );
    assert!(shown.contains("send requests to api.github.com over https  (the ceiling forbids it, so it is not granted)"), "{shown}");
    assert!(!shown.contains("Together"), "{shown}");
    let all: BTreeSet<usize> = (0..5).collect();
    let text = offer.granted("", &all).unwrap().unwrap();
    assert!(
        text.contains("fs://workspace/**") && !text.contains("github"),
        "{text}"
    );
    assert_eq!(
        json(&asked(ASKS), Some(&offer))["rules"][0]["forbidden_by_ceiling"],
        true
    );
}

#[test]
fn s151_what_is_written_is_never_more_than_was_picked() {
    let offer = offer("", None);
    assert_eq!(offer.granted("", &BTreeSet::new()).unwrap(), None);
    let text = offer.granted("", &BTreeSet::from([0])).unwrap().unwrap();
    let policy = Policy::parse(&text).unwrap();
    assert!(!casemate_policy::widens(
        &Policy::parse(ASKS).unwrap(),
        &policy
    ));
    assert!(
        text.contains(".git") && !text.contains("github") && !text.contains("GITHUB"),
        "{text}"
    );
    // A number that is no rule, and one that only narrows, are not picked.
    assert_eq!(offer.granted("", &BTreeSet::from([2, 99])).unwrap(), None);
}

#[test]
fn s155_what_is_granted_stays_and_only_what_grew_is_asked() {
    let mine = "# mine\nversion: \"1.0\"\npermissions:\n  network:\n    allow:\n      - { host: api.github.com }  # needed\n";
    let offer = offer(mine, None);
    assert_eq!(offer.ask, BTreeSet::from([0, 1, 4]));
    let shown = page(&asked(ASKS), Some(&offer)).plain();
    assert!(
        shown.contains("send requests to api.github.com over https  (not asked again)"),
        "{shown}"
    );
    let text = offer.granted(mine, &BTreeSet::from([0])).unwrap().unwrap();
    assert!(
        text.starts_with("# mine\n")
            && text.contains("# needed")
            && text.contains("fs://workspace/**"),
        "{text}"
    );
    // What was asked for before and not granted is not asked again.
    let request = Policy::parse(ASKS).unwrap();
    let again = Offer::of(
        &request,
        &Policy::parse(mine).unwrap(),
        Some(&request),
        None,
    );
    assert_eq!(again.questions().count(), 0);
}

#[test]
fn an_invalid_request_is_shown_and_grants_nothing() {
    for text in [
        "version: \"1.0\"\npermissions:\n  storage:\n    alow: []\n",
        "version: \"1.0\"\npermissions:\n  tools:\n    nothing-like-that: { clocks: none }\n",
        "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n      - { key: A, secret: b }\n",
        "\u{1b}[2J",
    ] {
        let asked = asked(text);
        assert!(asked.policy().is_none());
        let shown = page(&asked, None).plain();
        assert!(
            shown.contains("an invalid policy:") && !shown.contains('\u{1b}'),
            "{shown}"
        );
        assert!(
            shown.contains("it means nothing and grants nothing"),
            "{shown}"
        );
    }
    let many: String = (0..=MAX_SHOWN_RULES)
        .map(|number| format!("      - {{ key: K{number} }}\n"))
        .collect();
    let long = asked(&format!(
        "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n{many}"
    ));
    assert!(long.policy().is_none());
    assert!(
        page(&long, None)
            .plain()
            .contains("201 rules; more than 200")
    );
}

#[test]
fn the_published_policy_counts_before_the_one_that_is_built_in() {
    let other = "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n      - { key: A }\n";
    let both = [
        requested(RequestOrigin::Section, other),
        requested(RequestOrigin::Layer, ASKS),
    ];
    let asked = Asked::of(&both, &[]).unwrap();
    assert_eq!(
        (asked.origin, asked.other),
        (RequestOrigin::Layer, Some(RequestOrigin::Section))
    );
    assert!(
        page(&asked, Some(&offer("", None)))
            .plain()
            .contains("asks for something else")
    );
    let same = [
        requested(RequestOrigin::Section, ASKS),
        requested(RequestOrigin::Layer, ASKS),
    ];
    assert_eq!(Asked::of(&same, &[]).unwrap().other, None);
    assert!(Asked::of(&[], &[]).is_none());
    let one = [requested(RequestOrigin::Section, ASKS)];
    assert_eq!(Asked::of(&one, &[]).unwrap().origin, RequestOrigin::Section);
}
