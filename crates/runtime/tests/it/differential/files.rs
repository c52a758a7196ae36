//! A guest opens, writes, lists, removes and moves, and what it saw is what the rules say.

use super::draw::{self, BOUND, Dice};
use super::model::World;
use super::{SEED, Tally};
use crate::files::guest::guest;
use crate::fixture::{Fixture, result};
use casemate_policy::RootName;
use casemate_runtime::{CallReport, Outcome};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const CEILINGS: u64 = 3;
const POLICIES: u64 = 24;
const QUESTIONS: usize = 16;

/// A policy in force for `tool`, over a tree that is the same after each question.
struct Site<'f> {
    fixture: &'f Fixture,
    world: &'f World,
    tool: String,
    absolute: &'f str,
    mounts: Vec<String>,
    tally: &'f mut Tally,
}

/// `a` and `b` are directories, `a-b` is a file; at the third level all are files.
fn plant(base: &Path, depth: usize) {
    std::fs::create_dir_all(base).unwrap();
    for name in ["a", "b"] {
        match depth {
            2 => std::fs::write(base.join(name), content(base, name)).unwrap(),
            _ => plant(&base.join(name), depth + 1),
        }
    }
    std::fs::write(base.join("a-b"), content(base, "a-b")).unwrap();
}

fn content(base: &Path, name: &str) -> String {
    format!("content of {}", base.join(name).display())
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

impl Site<'_> {
    fn host(&self, path: &str) -> PathBuf {
        match path.strip_prefix(self.absolute) {
            Some(_) => PathBuf::from(path),
            None => self.fixture.path().join(path.trim_start_matches('/')),
        }
    }

    /// The mount that a path is in, and the rest of it.
    fn within(&self, path: &str) -> Option<(usize, String)> {
        let below = |mount: &String| path == mount || path.starts_with(&format!("{mount}/"));
        let at = self.mounts.iter().position(below)?;
        let rest = path[self.mounts[at].len()..].trim_start_matches('/');
        Some((
            at,
            if rest.is_empty() {
                ".".to_owned()
            } else {
                rest.to_owned()
            },
        ))
    }

    fn call(&self, function: &str, arguments: Value) -> CallReport {
        self.fixture
            .call(&format!("{}_{function}", self.tool), arguments)
    }

    /// Whether it was permitted; then it went well, or failed by what is there.
    fn permitted(&self, report: &CallReport, what: &str) -> bool {
        let failed = match &report.outcome {
            Outcome::Returned(_) => None,
            Outcome::ToolError(error) => Some(error["error"].as_str().unwrap_or_default()),
            other => panic!("{what}: {other:?}"),
        };
        match failed {
            None => assert_eq!(report.denials, [], "{what}"),
            Some("not-empty") => assert_eq!(report.denials, [], "{what}"),
            Some(_) => assert!(
                !report.denials.is_empty(),
                "{what}: {report:?}\n{}",
                self.place()
            ),
        }
        report.denials.is_empty()
    }

    fn place(&self) -> String {
        let ceiling = self.world.ceiling.as_ref().map(super::model::Policy::yaml);
        format!(
            "{} {:?}\n{}\nceiling: {}",
            self.tool,
            self.mounts,
            self.world.policy.yaml(),
            ceiling.unwrap_or_default()
        )
    }

    fn agrees(&mut self, kind: &'static str, report: &CallReport, path: &str, expected: bool) {
        let found = self.permitted(report, &format!("{kind} {path}"));
        assert_eq!(
            found,
            expected,
            "{kind} {path} {:?} {:?}\n{}",
            report.outcome,
            report.denials,
            self.place()
        );
        self.tally.count(kind, expected);
    }

    /// Everything that can be done with one path.
    fn question(&mut self, dice: &mut Dice) {
        let path = draw::path(dice, self.absolute);
        let Some((mount, rest)) = self.within(&path) else {
            // The guest has no way to name it.
            assert!(
                !self.world.looks(&path) && !self.world.access(&path).any(),
                "{path}\n{}",
                self.place()
            );
            return;
        };
        let Ok(metadata) = self.host(&path).metadata() else {
            return;
        };
        if !self.host(&self.mounts[mount]).is_dir() {
            return;
        }
        let stat = self.call(
            "stat_at",
            json!({"mount": mount, "how": ["symlink-follow"], "path": rest}),
        );
        self.agrees("look", &stat, &path, self.world.looks(&path));
        if metadata.is_dir() {
            self.list(&path, mount, &rest);
            if rest != "." {
                self.remove(&path, mount, &rest);
            }
        } else {
            self.read(&path, mount, &rest);
            self.write(&path, mount, &rest);
        }
        if rest != "." {
            self.rename(dice, &path, mount, &rest);
        }
    }

    fn opening(mount: usize, rest: &str, purpose: &str) -> Value {
        json!({"mount": mount, "how": [], "path": rest, "open": [], "for": [purpose]})
    }

    fn read(&mut self, path: &str, mount: usize, rest: &str) {
        let report = self.call("read", Self::opening(mount, rest, "read"));
        self.agrees("read", &report, path, self.world.access(path).read);
        let own = base64(&std::fs::read_to_string(self.host(path)).unwrap());
        let told = matches!(&report.outcome, Outcome::Returned(value) if value["result"][0] == own.as_str());
        assert_eq!(told, self.world.access(path).read, "{path} {report:?}");
    }

    fn write(&mut self, path: &str, mount: usize, rest: &str) {
        let host = self.host(path);
        let before = std::fs::read_to_string(&host).unwrap();
        let mut arguments = Self::opening(mount, rest, "write");
        arguments["bytes"] = json!(base64("CHANGED"));
        let report = self.call("write", arguments);
        let expected = self.world.access(path).write;
        self.agrees("write", &report, path, expected);
        let changed = std::fs::read_to_string(&host).unwrap() != before;
        assert_eq!(changed, expected, "{path}");
        std::fs::write(&host, before).unwrap();
    }

    fn list(&mut self, path: &str, mount: usize, rest: &str) {
        let report = self.call("list", Self::opening(mount, rest, "read"));
        let expected = self.world.looks(path);
        self.agrees("list", &report, path, expected);
        if !expected {
            return;
        }
        let listed = result(&report);
        let mut names: Vec<&str> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["name"].as_str().unwrap())
            .collect();
        names.sort_unstable();
        let shown: Vec<&str> = ["a", "a-b", "b"]
            .into_iter()
            .filter(|name| self.world.looks(&format!("{path}/{name}")))
            .collect();
        assert_eq!(names, shown, "{path}\n{}", self.place());
    }

    fn remove(&mut self, path: &str, mount: usize, rest: &str) {
        let report = self.call("remove_directory_at", json!({"mount": mount, "path": rest}));
        self.agrees("remove", &report, path, self.world.removes(path));
        assert!(self.host(path).is_dir());
    }

    /// Moves it to a name that is not there, and back.
    fn rename(&mut self, dice: &mut Dice, path: &str, mount: usize, rest: &str) {
        let parent = match path.rsplit_once('/') {
            Some((parent, _)) if dice.chance(50) => parent.to_owned(),
            _ => draw::path(dice, self.absolute),
        };
        let to = format!("{parent}/{}", dice.pick(&["a-x", "b-x"]));
        let inside = to.starts_with(&format!("{path}/"));
        let Some((other, new)) = self
            .within(&to)
            .filter(|_| !inside && self.host(&parent).is_dir())
        else {
            return;
        };
        let (old, new_host) = (self.host(path), self.host(&to));
        let directory = old.is_dir();
        let report = self.call(
            "rename_at",
            json!({"mount": mount, "path": rest, "to-mount": other, "to": new}),
        );
        let expected = self.world.moves(path, &to, directory);
        self.agrees("move", &report, &format!("{path} -> {to}"), expected);
        assert_eq!(new_host.exists(), expected, "{to}");
        if expected {
            std::fs::rename(new_host, old).unwrap();
        }
    }
}

#[test]
fn s160_what_a_guest_does_with_files_is_what_is_explained() {
    let mut tally = Tally::default();
    for group in 0..CEILINGS {
        let directory = tempfile::tempdir().unwrap();
        let absolute = directory.path().join("absolute").display().to_string();
        for place in [
            directory.path().join("w"),
            directory.path().join("c"),
            PathBuf::from(&absolute),
        ] {
            plant(&place, 0);
        }
        let mut dice = Dice(SEED << 40 | group);
        let ceiling = (group > 0).then(|| draw::ceiling(&mut dice, &absolute));
        let places = BOUND.map(|name| {
            (
                name.parse::<RootName>().unwrap(),
                directory.path().join(name),
            )
        });
        let fixture = Fixture::in_directory(directory, |mut builder| {
            for (name, place) in places {
                builder = builder.root(name, place);
            }
            match &ceiling {
                Some(ceiling) => builder.ceiling(super::read(ceiling)),
                None => builder,
            }
        });
        for number in 0..POLICIES {
            let policy = draw::policy(&mut dice, &absolute);
            let world = World {
                policy,
                ceiling: ceiling.clone(),
                bound: BOUND.to_vec(),
            };
            let tool = format!("t{number}");
            fixture
                .try_install(&tool, &guest(), Some(&world.policy.yaml()))
                .unwrap();
            let mounts = result(&fixture.call(&format!("{tool}_mounts"), Value::Null));
            let mounts = mounts
                .as_array()
                .unwrap()
                .iter()
                .map(|mount| mount[1].as_str().unwrap().to_owned())
                .collect();
            let mut site = Site {
                fixture: &fixture,
                world: &world,
                tool,
                absolute: &absolute,
                mounts,
                tally: &mut tally,
            };
            for _ in 0..QUESTIONS {
                site.question(&mut dice);
            }
        }
    }
    println!("{tally:?}");
    assert!(tally.total() >= 500, "{tally:?}");
    tally.is_mixed(6);
}
