#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use std::time::Duration;

#[test]
fn a_limit_says_what_ran_out_how_much_was_used_and_how_much_was_allowed() {
    for (limit, text) in [
        (
            LimitReached::bytes(Reason::LimitMemory, "memory", 12_u64 << 20, 8_u64 << 20),
            "12 MiB of memory used, 8 MiB allowed",
        ),
        (
            LimitReached::bytes(Reason::LimitMemory, "memory", 12_700_000_u64, 8_u64 << 20),
            "12.1 MiB of memory used, 8 MiB allowed",
        ),
        (
            LimitReached::bytes(
                Reason::LimitOutput,
                "result",
                (1_u64 << 20) + 1,
                1_u64 << 20,
            ),
            "1,048,577 bytes of result used, 1,048,576 bytes allowed",
        ),
        (
            LimitReached::time(
                Reason::LimitCpu,
                "processor time",
                Duration::from_micros(212_345),
                Duration::from_millis(200),
            ),
            "212.3 ms of processor time used, 200 ms allowed",
        ),
        (
            LimitReached::time(
                Reason::LimitTime,
                "time",
                Duration::from_micros(30_000_020),
                Duration::from_secs(30),
            ),
            "30,000,020 µs of time used, 30,000,000 µs allowed",
        ),
        (
            LimitReached::time(
                Reason::LimitTime,
                "time",
                Duration::from_micros(30_001_999),
                Duration::from_secs(30),
            ),
            "30.001 s of time used, 30 s allowed",
        ),
        (
            LimitReached::count(Reason::LimitHandles, "handles", 4_097, 4_096),
            "4,097 handles, 4,096 allowed",
        ),
        (
            LimitReached::count(Reason::LimitRate, "calls per minute", 600, 600),
            "more than the 600 calls per minute allowed",
        ),
        (
            LimitReached::bytes(Reason::LimitOutput, "data", 8_u64 << 20, 8_u64 << 20),
            "more than the 8 MiB of data allowed",
        ),
    ] {
        assert_eq!(limit.to_string(), text);
    }
}

#[test]
fn numbers_of_any_size_are_words() {
    assert_eq!(grouped(0), "0");
    assert_eq!(grouped(999), "999");
    assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
    let size = |bytes| in_units(bytes, &SIZES, "bytes", 1).text;
    assert_eq!(size(1_023), "1,023 bytes");
    assert_eq!(size((1 << 20) - 1), "1,023.9 KiB");
    assert_eq!(size(u64::MAX), "17,179,869,183.9 GiB");
    let duration = |microseconds| in_units(microseconds, &DURATIONS, "µs", 3).text;
    assert_eq!(duration(999), "999 µs");
    assert_eq!(duration(1_500), "1.500 ms");
    assert_eq!(duration(3_600_000_000), "3,600 s");
    let limit = LimitReached::count(Reason::LimitMemory, "memories", -1, u128::MAX);
    assert_eq!((limit.used, limit.allowed), (u64::MAX, u64::MAX));
}

#[test]
fn a_limit_is_data_too() {
    let limit = LimitReached::time(
        Reason::LimitCpu,
        "processor time",
        Duration::from_millis(11),
        Duration::from_millis(10),
    );
    assert_eq!(
        serde_json::to_value(limit).unwrap(),
        serde_json::json!({"resource": "processor time", "used": 11_000, "allowed": 10_000, "unit": "us"})
    );
}
