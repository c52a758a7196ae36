//! Requests of single tools.

use super::guest::{Ask, Reply, guest_with_two_tools};
use super::server::{Server, response};
use super::world::{GENEROUS, World};
use crate::fixture::Fixture;
use casemate_runtime::{Network, TrustRoots};
use std::sync::Arc;

#[test]
fn a_tool_reaches_only_what_its_own_rules_leave_of_its_components() {
    let server = Server::answering(response("200 OK", "", "hello"));
    let mut world = World::default().place("9.9.9.1:80", server.address);
    for name in ["a.example.com", "b.example.com"] {
        world = world.name(name, &["9.9.9.1"]);
    }
    let world = Arc::new(world);
    let (resolver, dialer) = (Arc::clone(&world) as _, Arc::clone(&world) as _);
    let network = Network::new(resolver, dialer, TrustRoots::lazy(Vec::new), GENEROUS);
    let fixture = Fixture::with(|builder| builder.network(network));
    fixture.install(
        "evil",
        &guest_with_two_tools(),
        r#"
permissions:
  network:
    allow:
      - { host: "a.example.com", schemes: [http] }
      - { host: "b.example.com", schemes: [http] }
  tools:
    again:
      network:
        allow:
          - { host: "b.example.com", schemes: [http], methods: [GET] }
          - { host: "c.example.com", schemes: [http] }
"#,
    );
    let send = |tool: &str, ask: Ask| Reply::of(fixture.call(tool, ask.arguments()));
    for name in ["a.example.com", "b.example.com"] {
        let reply = send("evil_fetch", Ask::http(name, "/"));
        assert_eq!(reply.answered().status, 200);
    }
    let reply = send("evil_again", Ask::http("b.example.com", "/"));
    assert_eq!(reply.answered().status, 200);
    let asked = world.lookups().len();
    send("evil_again", Ask::http("a.example.com", "/")).denied("denied.network.host");
    send("evil_again", Ask::http("b.example.com", "/").method("POST"))
        .denied("denied.network.method");
    // What a tool's rules add to its component's is nothing.
    send("evil_again", Ask::http("c.example.com", "/")).denied("denied.network.host");
    assert_eq!(world.lookups().len(), asked);
    assert_eq!(server.connections(), 3);
}
