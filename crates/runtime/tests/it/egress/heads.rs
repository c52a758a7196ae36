//! What a guest builds of requests and does not send is the host's memory, and bounded.

use crate::common::component;
use crate::fixture::{Fixture, reason, result};
use casemate_runtime::MAX_HTTP_MEMORY;
use serde_json::json;

const WIT: &str = "package test:heads;
package wasi:io@0.2.12 {
  interface streams { resource output-stream; }
}
package wasi:http@0.2.12 {
  interface types {
    use wasi:io/streams@0.2.12.{output-stream};
    variant header-error { invalid-syntax, forbidden, immutable }
    variant method { get, head, post, put, delete, connect, options, trace, patch, other(string) }
    resource fields {
      constructor();
      from-list: static func(entries: list<tuple<string, list<u8>>>) -> result<fields, header-error>;
      set: func(name: string, value: list<list<u8>>) -> result<_, header-error>;
      append: func(name: string, value: list<u8>) -> result<_, header-error>;
      clone: func() -> fields;
    }
    resource outgoing-body;
    resource outgoing-request {
      constructor(headers: fields);
      set-method: func(method: method) -> result;
      set-authority: func(authority: option<string>) -> result;
      set-path-with-query: func(path-with-query: option<string>) -> result;
      body: func() -> result<outgoing-body>;
    }
    resource outgoing-response {
      constructor(headers: fields);
      body: func() -> result<outgoing-body>;
    }
  }
}
world heads {
  import wasi:http/types@0.2.12;
  export grow: func(way: u32, size: u32, count: u32) -> u32;
}";

/// Does one thing again and again and keeps what it makes; how often it was done.
const WAT: &str = r#"(module
  (import "wasi:http/types@0.2.12" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.12" "[static]fields.from-list" (func $from_list (param i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]fields.set" (func $set (param i32 i32 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]fields.append" (func $append (param i32 i32 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]fields.clone" (func $clone (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[resource-drop]fields" (func $drop (param i32)))
  (import "wasi:http/types@0.2.12" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-method" (func $set_method (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-authority" (func $set_authority (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-path-with-query" (func $set_path (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-response.body" (func $response_body (param i32 i32)))
  (memory (export "memory") 64)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  ;; A name at 16; a text from 65536 on; one entry and one value, which are the same words, at 32.
  (func (export "grow") (param $way i32) (param $size i32) (param $count i32) (result i32)
    (local $i i32) (local $f i32)
    (i32.store8 (i32.const 16) (i32.const 120))
    (memory.fill (i32.const 65536) (i32.const 97) (i32.const 3145728))
    (i32.store (i32.const 32) (i32.const 16))
    (i32.store (i32.const 36) (i32.const 1))
    (i32.store (i32.const 40) (i32.const 65536))
    (i32.store (i32.const 44) (local.get $size))
    (local.set $f (call $fields))
    (block $done (loop $more
      (br_if $done (i32.ge_u (local.get $i) (local.get $count)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (if (i32.eq (local.get $way) (i32.const 0)) (then
        (call $from_list (i32.const 32) (i32.const 1) (i32.const 64))))
      (if (i32.eq (local.get $way) (i32.const 1)) (then
        (call $append (call $fields) (i32.const 16) (i32.const 1) (i32.const 65536) (local.get $size) (i32.const 64))))
      (if (i32.eq (local.get $way) (i32.const 2)) (then
        (call $set (call $fields) (i32.const 16) (i32.const 1) (i32.const 40) (i32.const 1) (i32.const 64))))
      (if (i32.eq (local.get $way) (i32.const 3)) (then
        (if (i32.eq (local.get $i) (i32.const 1)) (then
          (call $append (local.get $f) (i32.const 16) (i32.const 1) (i32.const 65536) (local.get $size) (i32.const 64))))
        (drop (call $clone (local.get $f)))))
      (if (i32.eq (local.get $way) (i32.const 4)) (then
        (drop (call $set_authority (call $request (call $fields)) (i32.const 1) (i32.const 65536) (local.get $size)))))
      (if (i32.eq (local.get $way) (i32.const 5)) (then
        (i32.store8 (i32.const 65536) (i32.const 47))
        (drop (call $set_path (call $request (call $fields)) (i32.const 1) (i32.const 65536) (local.get $size)))))
      (if (i32.eq (local.get $way) (i32.const 6)) (then
        (drop (call $set_method (call $request (call $fields)) (i32.const 9) (i32.const 65536) (local.get $size)))))
      (if (i32.eq (local.get $way) (i32.const 7)) (then
        (call $body (call $request (call $fields)) (i32.const 64))))
      (if (i32.eq (local.get $way) (i32.const 8)) (then
        (call $response_body (call $response (call $fields)) (i32.const 64))))
      ;; What is dropped does not count.
      (if (i32.eq (local.get $way) (i32.const 9)) (then
        (call $from_list (i32.const 32) (i32.const 1) (i32.const 64))
        (call $drop (i32.load (i32.const 68)))))
      (br $more)))
    (local.get $i))
)"#;

fn grow(fixture: &Fixture, way: u32, size: u32, count: u32) -> casemate_runtime::CallReport {
    let arguments = json!({"way": way, "size": size, "count": count});
    fixture.call("heads_grow", arguments)
}

/// Most memory that this process has had at once, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.unwrap().split_whitespace().nth(1);
    words.unwrap().parse().unwrap()
}

#[test]
fn s030_what_a_call_builds_of_requests_is_bounded_together() {
    let fixture = Fixture::new();
    fixture.install("heads", &component(WIT, "heads", WAT), "");
    let most = u32::try_from(MAX_HTTP_MEMORY).unwrap();
    let before = peak();
    for (way, size) in [
        (0, 30 << 10),
        (1, 30 << 10),
        (2, 30 << 10),
        (4, 1 << 20),
        (5, 60 << 10),
        (6, 1 << 20),
        (7, 128 << 10),
        (8, 128 << 10),
    ] {
        // Half of it is no trouble.
        let half = most / 2 / (size + 256);
        let report = grow(&fixture, way, size, half);
        assert_eq!(result(&report), json!(half), "{way}");
        // More than all of it ends the call, and says what it was.
        let report = grow(&fixture, way, size, 2_000);
        assert_eq!(reason(&report), "limit.memory", "{way}");
        let told = format!("{:?}", report.outcome);
        let words = "of memory for HTTP requests and responses used, ";
        assert!(told.contains(words), "{told}");
        fixture.ping();
    }
    // Copies of one set of fields.
    let report = grow(&fixture, 3, 30 << 10, 2_000);
    assert_eq!(reason(&report), "limit.memory");
    // As often as a guest likes, one after the other.
    let report = grow(&fixture, 9, 30 << 10, 2_000);
    assert_eq!(result(&report), json!(2_000));
    assert!(peak() - before < 512 << 10, "{} KiB", peak() - before);
}
