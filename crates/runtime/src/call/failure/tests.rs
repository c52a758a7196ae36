use super::*;

#[test]
fn limits_that_wasmtime_only_words_are_typed() {
    for (text, expected) in [
        (
            "resource limit exceeded: instance count too high at 257",
            "257 core instances, 256 allowed",
        ),
        (
            "resource limit exceeded: memory count too high at 65",
            "65 memories, 64 allowed",
        ),
        (
            "resource limit exceeded: table count too high at 130",
            "130 tables, 128 allowed",
        ),
        (
            "error while calling: cannot lend resource: store handle limit exceeded",
            "4,097 handles of the component, 4,096 allowed",
        ),
        (
            "too much data: fuel allocated for hostcalls has been exhausted",
            "more than the 1 KiB of data that crosses the sandbox at once allowed",
        ),
    ] {
        let limit = worded(text, 1_024).map(|limit| limit.to_string());
        assert_eq!(limit.as_deref(), Some(expected));
    }
    assert_eq!(worded("unknown handle index 7", 1), None);
    assert_eq!(worded("resource limit exceeded: horse", 1), None);
}

#[test]
fn the_pool_of_all_calls_says_what_is_used_up() {
    for (text, expected) in [
        (
            "maximum concurrent limit of 512 for memory stripe 0 reached",
            "more than the 512 memories of all calls together allowed",
        ),
        (
            "maximum concurrent limit of 2048 for core instances reached",
            "more than the 2,048 core instances of all calls together allowed",
        ),
        (
            "maximum concurrent limit of 64 for fibers reached",
            "more than the 64 calls at the same time allowed",
        ),
    ] {
        assert_eq!(pool(text).to_string(), expected);
    }
}

#[test]
fn a_time_to_wait_is_told_in_whole_seconds_and_never_too_short() {
    for (micros, told) in [
        (0, "1 ms"),
        (1, "1 ms"),
        (1_001, "2 ms"),
        (999_000, "999 ms"),
        (999_001, "1 s"),
        (1_000_001, "2 s"),
        (59_991_000, "60 s"),
        (3_600_000_000, "3600 s"),
    ] {
        assert_eq!(rounded_up(Duration::from_micros(micros)), told, "{micros}");
    }
}
