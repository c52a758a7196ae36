//! What `policy explain` says is what is enforced, and both are what docs/policy.md says (case S160).
//!
//! Random policies under random ceilings are asked random questions. The answer of `Grant::explain`, which is what the
//! command prints, is compared with `Grant::decide`, which enforces, and with [`model`], which knows the language and nothing of
//! the product. Then a guest does what was asked, through the whole runtime, and what it saw must agree.

#[path = "../../../../fuzz/properties/model.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the fuzz targets")]
mod model;

mod ambient;
mod draw;
mod files;
mod requests;

use casemate_policy::{
    Admission, ArtifactIdentity, Clock, Digest, EnvironmentValue, Grant, LinkKind, Operation,
    Permitted, Policy, RandomSource, RootName, SocketAction, StorageAccess, Tenant, VirtualPath,
};
use draw::{ADDRESSES, BOUND, Dice, KEYS, PEERS, RAW_PORTS};
use model::World;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Printed where something does not agree; another one asks other questions.
const SEED: u64 = 160;
/// Policies of which a grant is asked.
const WORLDS: u64 = 400;
/// Questions of each kind to each of them.
const EACH: usize = 6;
const ABSOLUTE: &str = "/srv/data";

/// How often each kind of question was allowed, and denied.
#[derive(Debug, Default)]
struct Tally(BTreeMap<&'static str, [usize; 2]>);

impl Tally {
    fn count(&mut self, kind: &'static str, allowed: bool) {
        self.0.entry(kind).or_default()[usize::from(!allowed)] += 1;
    }

    fn total(&self) -> usize {
        self.0.values().flatten().sum()
    }

    /// Each kind was asked, and was answered in both ways often enough to mean something.
    fn is_mixed(&self, least: usize) {
        for (kind, counts) in &self.0 {
            assert!(
                counts.iter().all(|count| *count >= least),
                "{kind}: {self:?}"
            );
        }
    }
}

/// A policy under a ceiling, drawn from a seed of its own.
fn world(seed: u64, absolute: &str) -> (Dice, World) {
    let mut dice = Dice(seed);
    let policy = draw::policy(&mut dice, absolute);
    let ceiling = dice.chance(40).then(|| draw::ceiling(&mut dice, absolute));
    let bound = BOUND.to_vec();
    (
        dice,
        World {
            policy,
            ceiling,
            bound,
        },
    )
}

fn read(policy: &model::Policy) -> Policy {
    let text = policy.yaml();
    match Policy::parse(&text) {
        Ok(policy) => policy,
        Err(error) => panic!("{error}\n{text}"),
    }
}

fn admit(world: &World) -> Grant {
    let identity =
        ArtifactIdentity::new(Digest::from_bytes([7; 32]), "./tool.wasm".to_owned(), None);
    let bound_roots: BTreeSet<RootName> = world
        .bound
        .iter()
        .map(|name| name.parse().unwrap())
        .collect();
    let ceiling = world.ceiling.as_ref().map(read);
    let admission = Admission {
        ceiling: ceiling.as_ref(),
        strict: false,
        bound_roots: &bound_roots,
        tenant: Tenant::local(),
    };
    read(&world.policy).admit(&identity, &admission)
}

/// Asks both faces of a grant one question, and compares them with what the language says.
struct Asker<'w> {
    seed: u64,
    world: &'w World,
    grant: Grant,
    tally: &'w mut Tally,
}

impl Asker<'_> {
    /// Where it happened, for a person who looks into it.
    fn place(&self) -> String {
        let ceiling = self.world.ceiling.as_ref().map(model::Policy::yaml);
        format!(
            "seed {}\n{}\nceiling: {}",
            self.seed,
            self.world.policy.yaml(),
            ceiling.unwrap_or_default()
        )
    }

    fn ask(&mut self, kind: &'static str, operation: &Operation<'_>, expected: bool) {
        let decided = self.grant.decide(operation);
        assert_eq!(
            decided.is_ok(),
            expected,
            "{operation:?}: {decided:?}\n{}",
            self.place()
        );
        let explanation = self.grant.explain(operation);
        assert_eq!(
            explanation.allowed,
            expected,
            "{operation:?}: {explanation}\n{}",
            self.place()
        );
        match &decided {
            Ok(permit) => {
                assert_eq!(explanation.reason, None);
                assert_eq!(
                    explanation.rule.as_ref(),
                    permit.rule(),
                    "{operation:?}\n{}",
                    self.place()
                );
            }
            Err(denial) => {
                assert!(denial.reason().is_denial());
                assert_eq!(
                    explanation.reason,
                    Some(denial.reason()),
                    "{operation:?}\n{}",
                    self.place()
                );
                assert_eq!(
                    explanation.rule.as_ref(),
                    denial.rule(),
                    "{operation:?}\n{}",
                    self.place()
                );
                assert_eq!(
                    explanation.remedy.as_ref(),
                    denial.remedy(),
                    "{operation:?}\n{}",
                    self.place()
                );
                assert_eq!(explanation.sentence, denial.explanation());
            }
        }
        self.tally.count(kind, expected);
    }

    fn storage(&mut self, dice: &mut Dice) {
        let one = draw::path(dice, ABSOLUTE);
        let other = draw::other(dice, ABSOLUTE, &one);
        let path = VirtualPath::parse(&one).unwrap();
        let to = VirtualPath::parse(&other).unwrap();
        let access = self.world.access(&one);
        for (kind, access, expected) in [
            ("read", StorageAccess::Read, access.read),
            ("write", StorageAccess::Write, access.write),
            ("look", StorageAccess::Traverse, self.world.looks(&one)),
            ("remove", StorageAccess::Remove, self.world.removes(&one)),
        ] {
            let operation = Operation::Storage {
                path: &path,
                access,
                own: false,
            };
            self.ask(kind, &operation, expected);
        }
        for (kind, link, directory) in [
            ("move", LinkKind::Rename, true),
            ("move a file", LinkKind::RenameFile, false),
        ] {
            let operation = Operation::StorageLink {
                from: &path,
                to: &to,
                kind: link,
                own: false,
            };
            self.ask(kind, &operation, self.world.moves(&one, &other, directory));
        }
        // What is Casemate's own is nobody's, whatever a rule says.
        let own = Operation::Storage {
            path: &path,
            access: StorageAccess::Read,
            own: true,
        };
        assert!(self.grant.decide(&own).is_err() && !self.grant.explain(&own).allowed);
    }

    fn network(&mut self, dice: &mut Dice) {
        let request = draw::request(dice);
        let target = requests::target(&request);
        self.ask("request", &target.operation(), self.world.sends(&request));
        for address in [requests::leads(&request.host)[0], dice.pick(&ADDRESSES)] {
            let own = dice.chance(10);
            let address = address.parse().unwrap();
            let operation = target.connect(SocketAddr::new(address, request.port), own);
            self.ask(
                "connect",
                &operation,
                self.world.connects(&request, address, own),
            );
        }
    }

    fn raw(&mut self, dice: &mut Dice) {
        let (peer, port) = (dice.pick(&PEERS), dice.pick(&RAW_PORTS));
        let address = dice.pick(&ADDRESSES).parse().unwrap();
        let lookup = Operation::Lookup { name: peer };
        self.ask("lookup", &lookup, self.world.looks_up(peer));
        let answer = Operation::LookupAnswer {
            name: peer,
            address,
        };
        self.ask("answer", &answer, self.world.tells(peer, address));
        let own = dice.chance(10);
        for name in [Some(peer), None] {
            let operation = Operation::TcpConnect {
                name,
                address: SocketAddr::new(address, port),
                own,
            };
            let expected = self.world.connects_raw(name, address, port, own);
            self.ask("raw connection", &operation, expected);
        }
        let create = Operation::Socket {
            action: SocketAction::CreateTcp,
            address: None,
        };
        self.ask("socket", &create, self.world.has_sockets());
    }

    fn ambient(&mut self, dice: &mut Dice) {
        let key = dice.pick(&KEYS);
        let variable = self.world.variable(key);
        self.ask(
            "variable",
            &Operation::Environment { key },
            variable.is_some(),
        );
        if let Ok(permit) = self.grant.decide(&Operation::Environment { key }) {
            let value = match permit.granted() {
                Permitted::Environment(EnvironmentValue::FromServer) => None,
                Permitted::Environment(EnvironmentValue::Literal(text)) => Some(text.as_str()),
                other => panic!("{other:?}"),
            };
            assert_eq!(Some(value), variable, "{key}\n{}", self.place());
        }
        let (clocks, random) = (self.world.clocks(), self.world.random());
        assert_eq!(self.grant.clocks().as_str(), clocks, "{}", self.place());
        assert_eq!(self.grant.random().to_string(), random, "{}", self.place());
        let clock = dice.pick(&[Clock::Wall, Clock::Monotonic, Clock::Wait]);
        self.ask("clock", &Operation::Clock { clock }, clocks != "none");
        let source = dice.pick(&[
            RandomSource::Secure,
            RandomSource::Insecure,
            RandomSource::Seed,
        ]);
        self.ask("random", &Operation::Random { source }, random != "none");
    }
}

#[test]
fn s160_what_is_explained_is_decided_and_is_what_the_language_says() {
    let mut tally = Tally::default();
    for number in 0..WORLDS {
        let seed = SEED << 32 | number;
        let (mut dice, world) = world(seed, ABSOLUTE);
        let grant = admit(&world);
        let mut asker = Asker {
            seed,
            world: &world,
            grant,
            tally: &mut tally,
        };
        for _ in 0..EACH {
            asker.storage(&mut dice);
            asker.network(&mut dice);
            asker.raw(&mut dice);
            asker.ambient(&mut dice);
        }
    }
    println!("{tally:?}");
    assert!(tally.total() >= 30_000, "{tally:?}");
    tally.is_mixed(30);
}
