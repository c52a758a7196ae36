use super::*;

#[test]
fn a_target_leads_out_when_it_goes_above_the_mount_anywhere() {
    for (target, depth, out) in [
        ("x", 0, false),
        ("..", 0, true),
        ("..", 1, false),
        ("../x", 0, true),
        ("../../x", 1, true),
        ("../../x", 2, false),
        ("a/../x", 0, false),
        ("a/../../x", 0, true),
        ("a/../../x", 1, false),
        ("./.././x", 0, true),
        ("a//..//..", 0, true),
        ("", 0, false),
    ] {
        assert_eq!(leads_out(target, depth), out, "{target} at {depth}");
    }
}

#[test]
fn guests_write_targets_that_go_up_and_then_down() {
    assert_eq!(up_and_down("a/b"), Some((0, vec!["a", "b"])));
    assert_eq!(up_and_down("../.././a/"), Some((2, vec!["a"])));
    assert_eq!(up_and_down("."), Some((0, vec![])));
    assert_eq!(up_and_down("a/.."), None);
    assert_eq!(up_and_down("../a/../b"), None);
}
