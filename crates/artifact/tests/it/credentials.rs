//! Where logins come from: Casemate's own file, Docker's, Podman's, and the programs they name.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use casemate_artifact::{
    CredentialFileError, CredentialSources, Credentials, Helpers, Home, Login, OwnCredentials,
};
use tempfile::TempDir;

use crate::{home, mode, set_mode};

fn login(user: &str, secret: &str) -> Login {
    Login::Basic {
        user: user.to_owned(),
        secret: secret.to_owned(),
    }
}

fn auth(user: &str, secret: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("{user}:{secret}"))
}

/// A home with directories for Docker, Podman and programs beside it.
struct World {
    directory: TempDir,
    home: Home,
    deadline: Duration,
}

impl World {
    fn new() -> World {
        let (directory, home) = home();
        std::fs::create_dir(directory.path().join("bin")).unwrap();
        World {
            directory,
            home,
            deadline: Duration::from_secs(60),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        set_mode(&path, 0o600);
        path
    }

    /// Has another process write a program: a descriptor of this one that another test's child
    /// inherits would make it "text file busy".
    fn helper(&self, name: &str, body: &str) {
        let path = self.path("bin").join(format!("docker-credential-{name}"));
        let status = Command::new("sh")
            .args([
                "-c",
                "printf '#!/bin/sh\\n%s\\n' \"$2\" >\"$1\" && chmod 755 \"$1\"",
                "sh",
            ])
            .arg(&path)
            .arg(body)
            .status()
            .unwrap();
        assert!(status.success());
    }

    fn sources(&self) -> CredentialSources {
        let path = format!("relative::{}", self.path("bin").display());
        let own = self.directory.path().as_os_str().to_owned();
        let environment = vec![
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("HOME".into(), own),
        ];
        CredentialSources::new(&self.home)
            .with_files([self.path("config.json"), self.path("auth.json")])
            .with_helpers(Helpers::new(path.into(), environment).with_deadline(self.deadline))
    }

    fn of(&self, registry: &str) -> Result<Option<Login>, CredentialFileError> {
        self.sources().find(registry)
    }

    fn error(&self, registry: &str) -> CredentialFileError {
        let error = self.of(registry).unwrap_err();
        let shown = format!("{error} {error:?} {:?}", error.hint());
        assert!(!shown.contains("hunter2"), "{shown}");
        error
    }
}

#[test]
fn the_own_file_goes_before_docker_and_docker_before_podman() {
    let world = World::new();
    assert_eq!(world.of("ghcr.io").unwrap(), None);
    world.write(
        "auth.json",
        &format!(
            r#"{{"auths":{{"ghcr.io/acme":{{"auth":"{}"}},"ghcr.io":{{"auth":"{}"}}}}}}"#,
            auth("podman-acme", "p1"),
            auth("podman", "p2"),
        ),
    );
    assert_eq!(
        world.of("ghcr.io/acme/x").unwrap(),
        Some(login("podman-acme", "p1"))
    );
    assert_eq!(
        world.of("ghcr.io/other").unwrap(),
        Some(login("podman", "p2"))
    );
    world.write(
        "config.json",
        &format!(
            r#"{{"auths":{{"https://ghcr.io/v1/":{{"auth":"{}","email":"a@b"}}}},"currentContext":"x"}}"#,
            auth("docker", "with:colons:inside")
        ),
    );
    assert_eq!(
        world.of("ghcr.io/acme/x").unwrap(),
        Some(login("docker", "with:colons:inside"))
    );
    let own = OwnCredentials::new(&world.home);
    own.keep("ghcr.io", &login("casemate", "c")).unwrap();
    assert_eq!(
        world.of("ghcr.io/acme/x").unwrap(),
        Some(login("casemate", "c"))
    );
    assert!(own.forget("ghcr.io").unwrap());
    assert!(!own.forget("ghcr.io").unwrap());
    assert_eq!(
        world.of("ghcr.io").unwrap(),
        Some(login("docker", "with:colons:inside"))
    );
}

#[test]
fn the_own_file_is_closed_to_others_and_has_the_shape_of_dockers() {
    let world = World::new();
    let own = OwnCredentials::new(&world.home);
    assert!(!own.forget("ghcr.io").unwrap());
    assert!(
        !world.home.secrets_dir().exists(),
        "nothing was asked to be kept"
    );
    own.keep("127.0.0.1:5000", &login("me", "hunter2")).unwrap();
    own.keep("docker.io", &Login::IdentityToken("t0ken".to_owned()))
        .unwrap();
    own.keep("127.0.0.1:5000", &login("me", "hunter3")).unwrap();
    assert_eq!(mode(&world.home.secrets_dir()), 0o700);
    assert_eq!(mode(&own.file()), 0o600);
    let value: serde_json::Value =
        serde_json::from_slice(&std::fs::read(own.file()).unwrap()).unwrap();
    assert_eq!(
        value,
        serde_json::json!({"auths": {
            "127.0.0.1:5000": {"auth": auth("me", "hunter3")},
            "docker.io": {"identitytoken": "t0ken"},
        }})
    );
    assert_eq!(
        own.of("index.docker.io").unwrap(),
        Some(Login::IdentityToken("t0ken".to_owned()))
    );
    assert!(world.home.check().is_empty(), "{:?}", world.home.check());
    // Docker reads what Casemate wrote, and the other way round.
    std::fs::copy(own.file(), world.path("config.json")).unwrap();
    std::fs::remove_file(own.file()).unwrap();
    assert_eq!(
        world.of("127.0.0.1:5000").unwrap(),
        Some(login("me", "hunter3"))
    );
}

#[test]
fn what_others_may_read_or_change_is_refused() {
    for bits in [0o666, 0o644, 0o640, 0o602] {
        let world = World::new();
        let own = OwnCredentials::new(&world.home);
        own.keep("ghcr.io", &login("me", "hunter2")).unwrap();
        set_mode(&own.file(), bits);
        assert!(
            matches!(world.error("ghcr.io"), CredentialFileError::OpenToOthers { mode, .. } if mode == bits)
        );
        assert_eq!(world.home.check().len(), 1);
        // Neither is it written over, which would make it look kept.
        assert!(own.keep("ghcr.io", &login("me", "new")).is_err());
        set_mode(&own.file(), 0o600);
        set_mode(&world.home.secrets_dir(), 0o755);
        assert!(matches!(
            world.error("ghcr.io"),
            CredentialFileError::OpenToOthers { .. }
        ));
        set_mode(&world.home.secrets_dir(), 0o700);
        assert_eq!(world.of("ghcr.io").unwrap(), Some(login("me", "hunter2")));
    }
    // Docker's and Podman's may be read by others, as they are on many machines.
    let world = World::new();
    let text = format!(
        r#"{{"auths":{{"ghcr.io":{{"auth":"{}"}}}}}}"#,
        auth("me", "hunter2")
    );
    let file = world.write("config.json", &text);
    set_mode(&file, 0o644);
    assert_eq!(world.of("ghcr.io").unwrap(), Some(login("me", "hunter2")));
    set_mode(&file, 0o666);
    let error = world.error("ghcr.io");
    assert!(matches!(
        error,
        CredentialFileError::WorldWritable { mode: 0o666, .. }
    ));
    assert!(error.hint().unwrap().starts_with("chmod o-w "));
}

#[test]
fn the_own_file_is_no_link() {
    let world = World::new();
    let own = OwnCredentials::new(&world.home);
    own.keep("ghcr.io", &login("me", "hunter2")).unwrap();
    let other = world.path("elsewhere.json");
    std::fs::rename(own.file(), &other).unwrap();
    std::os::unix::fs::symlink(&other, own.file()).unwrap();
    assert!(matches!(
        world.error("ghcr.io"),
        CredentialFileError::NotRegular { .. }
    ));
}

#[test]
fn a_broken_file_is_an_error_that_names_it_and_quotes_nothing() {
    let world = World::new();
    for (text, place) in [
        ("{\"auths\": {", (1, 11)),
        ("\n  {\"auths\": \"hunter2\"}", (2, 21)),
        (r#"{"auths": {"ghcr.io": {"auth": 5}}}"#, (1, 32)),
        ("[]", (1, 1)),
        ("hunter2", (1, 1)),
    ] {
        let path = world.write("config.json", text);
        match world.error("ghcr.io") {
            CredentialFileError::Malformed {
                path: named,
                line,
                column,
                ..
            } => {
                assert_eq!((named, line), (path, place.0), "{text}");
                assert!(column.abs_diff(place.1) <= 1, "{text}: column {column}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    world.write("config.json", &format!(r#"{{"x":{deep}}}"#));
    assert_eq!(
        world.of("ghcr.io").unwrap(),
        None,
        "what is not looked at may be deep"
    );
    world.write("config.json", &format!(r#"{{"auths":{{"x":{deep}}}}}"#));
    assert!(matches!(
        world.error("ghcr.io"),
        CredentialFileError::Malformed { .. }
    ));
    world.write("config.json", &" ".repeat(1024 * 1024 + 1));
    assert!(matches!(
        world.error("ghcr.io"),
        CredentialFileError::TooLarge { .. }
    ));
    std::fs::remove_file(world.path("config.json")).unwrap();
    std::fs::create_dir(world.path("config.json")).unwrap();
    assert!(matches!(
        world.error("ghcr.io"),
        CredentialFileError::NotRegular { .. }
    ));
}

#[test]
fn an_entry_is_a_login_or_an_error_or_empty() {
    let world = World::new();
    let entry = |entry: &str| {
        world.write(
            "config.json",
            &format!(r#"{{"auths":{{"ghcr.io":{entry}}}}}"#),
        );
        world.of("ghcr.io")
    };
    for empty in [
        "{}",
        "null",
        r#"{"auth":""}"#,
        r#"{"auth":null,"email":"x"}"#,
        r#"{"username":"x"}"#,
    ] {
        assert_eq!(entry(empty).unwrap(), None, "{empty}");
    }
    let unpadded = auth("me", "hunter2").trim_end_matches('=').to_owned();
    for (text, expected) in [
        (
            format!(r#"{{"auth":"{unpadded}"}}"#),
            login("me", "hunter2"),
        ),
        (
            format!(r#"{{"auth":"{}"}}"#, auth("me", "hunter2\0\0")),
            login("me", "hunter2"),
        ),
        (
            r#"{"username":"me","password":"p"}"#.to_owned(),
            login("me", "p"),
        ),
        (
            format!(r#"{{"auth":"{}","identitytoken":"t"}}"#, auth("0000", "x")),
            Login::IdentityToken("t".to_owned()),
        ),
    ] {
        assert_eq!(entry(&text).unwrap(), Some(expected), "{text}");
    }
    for bad in [
        "!!!!".to_owned(),
        base64::engine::general_purpose::STANDARD.encode("hunter2"),
        base64::engine::general_purpose::STANDARD.encode([b'a', b':', 0xff]),
        auth("me", "hunter2\r\nX-Injected: 1"),
        auth("", "hunter2"),
    ] {
        let _ = entry(&format!(r#"{{"auth":"{bad}"}}"#));
        assert!(
            matches!(world.error("ghcr.io"), CredentialFileError::Unusable { .. }),
            "{bad}"
        );
    }
}

const ANSWER: &str = r#"test "$1" = get && read -r server
case "$server" in
ghcr.io) printf '{"ServerURL":"%s","Username":"me","Secret":"from %s in %s"}' "$server" "$HOME" "$PWD" ;;
https://index.docker.io/v1/) echo '{"ServerURL":"x","Username":"<token>","Secret":"t"}' ;;
*) echo 'credentials not found in native keychain'; exit 1 ;;
esac"#;

#[test]
fn a_helper_is_asked_for_its_registry_and_nothing_of_the_environment_is_in_it() {
    let world = World::new();
    world.helper("one", ANSWER);
    world.helper("two", "env | grep -v -e ^HOME= -e ^PATH= -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= && exit 1; echo '{\"Username\":\"clean\",\"Secret\":\"s\"}'");
    world.write(
        "config.json",
        &format!(
            r#"{{"credsStore":"one","credHelpers":{{"quay.io":"two"}},"auths":{{"ghcr.io":{{}},"own.example":{{"auth":"{}"}}}}}}"#,
            auth("me", "in the file")
        ),
    );
    let place = format!("from {} in /", world.directory.path().display());
    assert_eq!(world.of("ghcr.io/a/b").unwrap(), Some(login("me", &place)));
    assert_eq!(
        world.of("docker.io").unwrap(),
        Some(Login::IdentityToken("t".to_owned()))
    );
    assert_eq!(world.of("quay.io").unwrap(), Some(login("clean", "s")));
    // It knows nothing of this one, the file does; and nobody knows of the last.
    assert_eq!(
        world.of("own.example").unwrap(),
        Some(login("me", "in the file"))
    );
    assert_eq!(world.of("other.example").unwrap(), None);
}

#[test]
fn a_helper_that_hangs_is_ended_with_what_it_started() {
    let mut world = World::new();
    world.deadline = Duration::from_millis(300);
    world.helper(
        "slow",
        "echo $$ >\"$HOME/pid\"; sleep 600 & echo $! >\"$HOME/child\"; wait",
    );
    world.write("config.json", r#"{"credsStore":"slow"}"#);
    let start = Instant::now();
    assert!(matches!(
        world.error("ghcr.io"),
        CredentialFileError::HelperSlow { .. }
    ));
    assert!(start.elapsed() < Duration::from_secs(60));
    let is_running = |pid: &str| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim()));
        status.is_ok_and(|status| !status.contains("State:\tZ"))
    };
    for file in ["pid", "child"] {
        let Ok(pid) = std::fs::read_to_string(world.path(file)) else {
            continue; // On a busy machine it did not come that far.
        };
        let until = Instant::now() + Duration::from_secs(60);
        while is_running(&pid) {
            assert!(Instant::now() < until, "{file} runs on");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_helper_that_ends_and_leaves_its_output_open_is_not_waited_for() {
    let world = World::new();
    world.helper(
        "leaves",
        "sleep 60 & echo '{\"Username\":\"me\",\"Secret\":\"s\"}'",
    );
    world.write("config.json", r#"{"credsStore":"leaves"}"#);
    let start = Instant::now();
    assert_eq!(world.of("ghcr.io").unwrap(), Some(login("me", "s")));
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_helper_that_floods_is_ended() {
    let world = World::new();
    world.helper("floods", "exec yes hunter2");
    world.write("config.json", r#"{"credsStore":"floods"}"#);
    assert!(matches!(
        world.error("ghcr.io"),
        CredentialFileError::HelperFlood { .. }
    ));
    // Errors without end hold nobody up either; what counts is the answer.
    world.helper(
        "complains",
        "head -c 1000000 /dev/zero >&2; echo '{\"Username\":\"me\",\"Secret\":\"s\"}'",
    );
    world.write("config.json", r#"{"credsStore":"complains"}"#);
    assert_eq!(world.of("ghcr.io").unwrap(), Some(login("me", "s")));
}

#[test]
fn a_helper_that_is_missing_fails_or_answers_nonsense_is_an_error() {
    let world = World::new();
    world.helper("fails", "echo hunter2; echo hunter2 >&2; exit 3");
    world.helper("talks", "echo hunter2");
    world.helper("empty", "echo '{\"Username\":\"me\",\"Secret\":\"\"}'");
    world.helper(
        "nobody",
        "echo '{\"ServerURL\":\"\",\"Username\":\"\",\"Secret\":\"\"}'",
    );
    std::fs::write(world.path("bin/docker-credential-plain"), "#!/bin/sh\n").unwrap();
    for (name, missing) in [
        ("absent", true),
        ("plain", true), // Not executable.
        ("fails", false),
        ("talks", false),
        ("empty", false),
    ] {
        world.write(
            "config.json",
            &format!(r#"{{"credHelpers":{{"ghcr.io":"{name}"}}}}"#),
        );
        let error = world.error("ghcr.io");
        let right = match &error {
            CredentialFileError::HelperMissing { name: named, .. } => missing && named == name,
            CredentialFileError::HelperFailed { name: named, .. } => !missing && named == name,
            _ => false,
        };
        assert!(right, "{error:?}");
        assert!(error.hint().unwrap().contains("casemate login"));
        assert_eq!(
            world.of("quay.io").unwrap(),
            None,
            "it is for ghcr.io alone"
        );
    }
    world.write("config.json", r#"{"credsStore":"nobody"}"#);
    assert_eq!(world.of("ghcr.io").unwrap(), None);
}

#[test]
fn a_helpers_name_is_never_a_path_or_an_option() {
    let world = World::new();
    let marker = world.path("ran");
    let script = world.path("evil");
    assert!(script.parent().is_some_and(Path::exists));
    world.helper("x", &format!("touch {}", marker.display()));
    for name in [
        "../x", "x/../x", "/bin/sh", "x y", "x;id", "-x", ".x", "x\\u0000", "$(id)", "ä",
    ] {
        world.write(
            "config.json",
            &format!(r#"{{"credsStore":{name:?}}}"#).replace("\\\\u", "\\u"),
        );
        assert!(
            matches!(
                world.error("ghcr.io"),
                CredentialFileError::HelperName { .. }
            ),
            "{name}"
        );
    }
    assert!(!marker.exists());
}

#[test]
fn the_trait_tells_the_same_without_types() {
    let world = World::new();
    world.write("config.json", "{");
    let error = Credentials::of(&world.sources(), "ghcr.io").unwrap_err();
    assert!(error.to_string().contains("config.json"), "{error}");
}
