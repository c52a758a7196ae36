//! Files of single tools: one reads what another may not.

use super::{READ_WRITE, Site, at, base64, opening, reading, text, with};

#[test]
fn a_tool_has_the_files_of_its_component_but_for_what_its_own_rules_leave() {
    let site = Site::new(&format!(
        "{READ_WRITE}  tools:
    write:
      storage:
        allow:
          - uri: \"fs://workspace/pub/**\"
            access: [\"read\", \"write\"]
    evil_create_directory_at:
      storage: {{ allow: [] }}
"
    ));
    std::fs::create_dir_all(site.host("ws/pub")).unwrap();
    std::fs::write(site.host("ws/mine.txt"), "mine").unwrap();
    std::fs::write(site.host("ws/pub/ours.txt"), "ours").unwrap();
    // A tool of which nothing is said has all of it.
    for (path, content) in [("mine.txt", "mine"), ("pub/ours.txt", "ours")] {
        assert_eq!(text(&site.allowed("read", reading(path))), content);
    }
    let write = |path: &str| {
        let arguments = opening(path, &[], &["write"]);
        with(arguments, "bytes", base64("new!"))
    };
    // Its own rules lead elsewhere: the folder that it is shown is the narrower one.
    let catalog = site.fixture.runtime.catalog();
    let grant = |tool: &str| catalog.tool(tool).unwrap().grant().clone();
    let mounts = |tool: &str| -> Vec<String> {
        let grant = grant(tool);
        grant
            .mounts()
            .iter()
            .map(|mount| mount.guest.to_string())
            .collect()
    };
    assert_eq!(mounts("evil_read"), ["/workspace"]);
    assert_eq!(mounts("evil_write"), ["/workspace/pub"]);
    assert_eq!(mounts("evil_create_directory_at"), [] as [&str; 0]);
    site.allowed("write", write("ours.txt"));
    assert_eq!(site.content("ws/pub/ours.txt"), "new!");
    let report = site.call("write", write("../mine.txt"));
    assert_ne!(report.denials, []);
    assert_eq!(site.content("ws/mine.txt"), "mine");
    // By the name that clients see; without a folder there is nothing to name a file by.
    let report = site.call("create-directory-at", at("new"));
    assert!(!site.host("ws/new").exists(), "{report:?}");
    assert!(report.outcome.reason().is_some() || !report.denials.is_empty());
}
