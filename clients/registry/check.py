#!/usr/bin/env python3
"""Casemate and a registry that others wrote: push, sign, add, verify, update, sync and logins, and what happens when somebody tampers.

Starts Debian's docker-registry 2.8.2 twice on loopback, with and without passwords. Everything on Casemate's side goes through its
command line, as an author and as users with homes of their own. Bytes are changed where they lie: in the registry's storage and in the
store of a home. Artifacts of others: one that ORAS's Python client pushes for real; one in the shape that `wkg` 0.16.1 writes, put there
by this script byte for byte, or by wkg itself with --wkg PATH; an index of several platforms, put there by this script.

Usage: check.py --registry DOCKER-REGISTRY --casemate PATH [--wkg PATH]
Prints a line per check, then how many there were; exits with 1 if one failed.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import os
import pathlib
import pty
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request

import bcrypt
import oras.client
import oras.defaults

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTES = ROOT / "examples" / "rust" / "notes.wasm"
WIT = ROOT / "examples" / "rust" / "wit"
CHECKSUMS = ROOT / "examples" / "c" / "checksums.wasm"
COMMAND = 180  # seconds that any one command of Casemate may take
STARTS = 30  # seconds in which a registry has to listen
USER, PASSWORD = "author", "correct horse"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
ASKED = 'version: "1.0"\npermissions:\n  storage:\n    allow:\n      - { uri: "fs:///data/**", access: [read] }\n'


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, name, held, found=None):
        if held:
            self.passed += 1
            print(f"ok    {name}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL  {name}: {found!r}"[:3000], flush=True)


class Registry:
    """docker-registry on a free port of 127.0.0.1, with its storage in a folder."""

    def __init__(self, binary, place, passwords=None):
        self.storage = place / "storage"
        self.storage.mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        text = (
            "version: 0.1\nlog: { level: error, accesslog: { disabled: true } }\n"
            f"storage: {{ filesystem: {{ rootdirectory: {self.storage} }}, delete: {{ enabled: true }} }}\n"
            f"http: {{ addr: '{self.host}' }}\n"
        )
        if passwords:
            text += f"auth: {{ htpasswd: {{ realm: test, path: {passwords} }} }}\n"
        configuration = place / "config.yml"
        configuration.write_text(text)
        with open(place / "log", "wb") as log:
            self.process = subprocess.Popen([binary, "serve", configuration], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + STARTS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(self.host.split(":")[1])), 1):
                return
            if time.monotonic() > end or self.process.poll() is not None:
                self.stop()
                raise RuntimeError(f"the registry did not start: {(place / 'log').read_text()[:2000]}")
            time.sleep(0.05)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def reference(self, rest):
        return f"oci://{self.host}/{rest}"

    def ask(self, method, path, body=None, **headers):
        """Status, headers and body of an answer to this script itself."""
        request = urllib.request.Request(f"http://{self.host}/v2/{path}", data=body, method=method)
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=STARTS) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def manifest(self, repository, name):
        return self.ask("GET", f"{repository}/manifests/{name}", Accept=f"{MANIFEST}, {INDEX}")[2]

    def put_blob(self, repository, content, media_type):
        """Puts a blob there; its descriptor."""
        _, headers, _ = self.ask("POST", f"{repository}/blobs/uploads/", b"")
        place = headers["Location"].split("/v2/", 1)[1]
        status, _, answer = self.ask("PUT", f"{place}&digest={sha256(content)}", content, Content_Type="application/octet-stream")
        assert status == 201, answer
        return {"mediaType": media_type, "digest": sha256(content), "size": len(content)}

    def put_manifest(self, repository, name, manifest):
        content = json.dumps(manifest).encode()
        status, _, answer = self.ask("PUT", f"{repository}/manifests/{name}", content, Content_Type=manifest["mediaType"])
        assert status == 201, answer
        return {"mediaType": manifest["mediaType"], "digest": sha256(content), "size": len(content)}

    def blob_file(self, digest):
        digits = digest.removeprefix("sha256:")
        return self.storage / "docker/registry/v2/blobs/sha256" / digits[:2] / digits / "data"

    @contextlib.contextmanager
    def altered(self, digest, change):
        """While it lasts, the registry holds other bytes under this digest."""
        file = self.blob_file(digest)
        before = file.read_bytes()
        file.write_bytes(change(before))
        try:
            yield
        finally:
            file.write_bytes(before)


def flip(content):
    """The same length, one bit different."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def longer(content):
    return content + b" "


class Run:
    def __init__(self, finished):
        self.code, self.out, self.err = finished.returncode, finished.stdout, finished.stderr

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}; stdout {self.out!r}; stderr {self.err!r}"


class Person:
    """Somebody with a home of Casemate and a home directory of their own."""

    def __init__(self, binary, place, plain=()):
        self.binary, self.place, self.home = binary, place, place / "home"
        (place / "user").mkdir(parents=True)
        self.home.mkdir(mode=0o700)
        if plain:
            # A script has no terminal to confirm on; a person says here that this home may do without.
            names = ", ".join(f'"{host}"' for host in plain)
            (self.home / "config.toml").write_text(f"[grants]\nwithout-terminal = true\n\n[registries]\nplain-http = [{names}]\n")

    def environment(self):
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.place / "user"), "CASEMATE_HOME": str(self.home)}

    def run(self, *words, typed="", **more):
        return Run(
            subprocess.run(
                [self.binary, *map(str, words)],
                input=typed,
                capture_output=True,
                text=True,
                cwd=self.place,
                env={**self.environment(), **more},
                timeout=COMMAND,
                check=False,
            )
        )

    def trusts(self, host, key):
        (self.home / "keys").mkdir(mode=0o700, exist_ok=True)
        shutil.copy(key, self.home / "keys" / key.name)
        (self.home / "trust.yaml").write_text(
            f'version: "1.0"\nrules:\n  - match: "{host}/acme/**"\n    signers:\n      - key: keys/{key.name}\n'
        )

    def lock(self):
        file = self.home / "casemate.lock"
        return tomllib.loads(file.read_text()) if file.exists() else {}

    def entry(self, name):
        return self.lock().get("components", {}).get(name)

    def kept(self):
        """Everything that an installation leaves behind, by name."""
        names = [self.home / name for name in ("components", "policies", "casemate.lock", "cache")]
        files = [file for name in names for file in ([name] if name.is_file() else name.rglob("*")) if file.is_file()]
        # The key of the cache is made with the first home, whatever is installed.
        return sorted(str(file.relative_to(self.home)) for file in files if "key" not in file.name)


def on_a_terminal(person, words, answers):
    """Runs a command on a terminal and answers each question once it is seen; status and everything that was shown."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(person.place)
        os.execve(person.binary, [str(person.binary), *words], {**person.environment(), "TERM": "xterm"})
    shown, waiting, end = b"", list(answers), time.monotonic() + COMMAND
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                part = os.read(terminal, 4096)
            except OSError:
                break
            if not part:
                break
            shown += part
        if waiting and waiting[0][0] in shown:
            time.sleep(0.1)
            os.write(terminal, waiting.pop(0)[1])
    else:
        os.kill(child, 9)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


def refused(check, what, person, run, before, words, codes=(3,)):
    """A command that was refused, with its status and its words, and left everything as it was."""
    check(f"{what}: refused with {' or '.join(map(str, codes))}", run.code in codes, run)
    check(f"{what}: says why", any(word in run.err + run.out for word in words), run)
    check(f"{what}: nothing is half installed", person.kept() == before, (before, person.kept()))


def published(check, registry, author):
    """The author's side. The digest of the signed manifest, and of one that nobody signed."""
    reference = registry.reference("acme/notes:1.2.0")
    words = ["push", reference, NOTES, "--wit", WIT, "--policy", "ask.yaml", "--version", "1.2.0", "--json"]
    (author.place / "ask.yaml").write_text(ASKED)
    tls = author.run(*words)
    check("without --plain-http it is TLS, also on this machine", tls.code == 1 and "--plain-http" in tls.err, tls)
    pushed = author.run(*words, "--plain-http")
    check("push", pushed.code == 0, pushed)
    digest = pushed.json()["manifest"]
    content = registry.manifest("acme/notes", "1.2.0")
    check("the registry has the manifest under its digest", sha256(content) == digest == sha256(registry.manifest("acme/notes", digest)), digest)
    manifest = json.loads(content)
    types = [layer["mediaType"] for layer in manifest["layers"]]
    check(
        "… with the component, the policy and the WIT text",
        types == ["application/wasm", "application/vnd.wasm.policy.v1+yaml", "application/vnd.casemate.wit.v1+text"],
        types,
    )
    config = json.loads(registry.ask("GET", f"acme/notes/blobs/{manifest['config']['digest']}")[2])
    found = (config["architecture"], config["os"], len(config["layerDigests"]))
    check("… and the configuration of a component", found == ("wasm", "wasip2", 3), config)
    again = author.run(*words, "--plain-http").json()
    check("pushed again it is the same, and nothing is sent", (again["manifest"], again["blobs"]["sent"]) == (digest, 0), again)

    made = author.run("sign", "--generate-key", "author")
    check("a key is made", made.code == 0 and (author.place / "author.key").stat().st_mode & 0o777 == 0o600, made)
    author.run("sign", "--generate-key", "stranger")
    signed = author.run("sign", reference, "--key", "author.key", "--plain-http", "--json")
    check("sign", signed.code == 0, signed)
    tags = sorted(json.loads(registry.ask("GET", "acme/notes/tags/list")[2])["tags"])
    hexadecimal = digest.removeprefix("sha256:")
    check(
        "the signature is where others look: cosign's tag, and the index that stands in for referrers",
        tags == sorted(["1.2.0", f"sha256-{hexadecimal}", f"sha256-{hexadecimal}.sig"]),
        tags,
    )
    unsigned = author.run("push", registry.reference("acme/unsigned:1"), CHECKSUMS, "--plain-http", "--json")
    check("another is pushed and not signed", unsigned.code == 0, unsigned)
    at_once = author.run("push", registry.reference("acme/sums:1"), CHECKSUMS, "--sign", "stranger.key", "--plain-http", "--json")
    check("one is pushed and signed in one step, by a stranger", at_once.code == 0, at_once)
    return digest


def added(check, registry, author, user, digest):
    reference = registry.reference("acme/notes:1.2.0")
    user.trusts(registry.host, author.place / "author.pub")
    verified = user.run("verify", reference)
    check("another home verifies it under a rule of trust", verified.code == 0, verified)
    run = user.run("add", reference, "--yes", "--json")
    check("… and adds it", run.code == 0, run)
    entry = user.entry("notes") or {}
    check("the lock names the source", entry.get("source") == reference, entry)
    check("… the manifest", entry.get("manifest") == digest, entry)
    check("… the component", entry.get("digest") == sha256(NOTES.read_bytes()), entry)
    check("… who signed it", str(entry.get("signer", "")).startswith("key sha256:"), entry)
    check("… the evidence", str(entry.get("evidence", "")).startswith("sha256:"), entry)
    check("… and the version", entry.get("version") == "1.2.0", entry)
    policy = user.home / "policies/notes.yaml"
    check("what the author asked for is not granted", not policy.exists() or "fs:///data" not in policy.read_text())
    shown = user.run("inspect", "notes", "--json")
    check("its tools have the author's words", shown.code == 0 and any(tool["description"] for tool in shown.json()["tools"]), shown)
    offline = user.run("verify", "notes")
    check("what is installed is verified from what was kept", offline.code == 0, offline)


def distrusted(check, registry, author, make):
    """What a rule of trust keeps out."""
    user = make("careful")
    user.trusts(registry.host, author.place / "author.pub")
    before = user.kept()
    for what, rest, words in [
        ("unsigned", "acme/unsigned:1", ["verify.signature"]),
        ("signed by somebody else", "acme/sums:1", ["verify.identity"]),
    ]:
        run = user.run("add", registry.reference(rest), "--yes")
        refused(check, what, user, run, before, [*words, "sign"])
    other = make("mistaken")
    other.trusts(registry.host, author.place / "stranger.pub")
    before = other.kept()
    run = other.run("add", registry.reference("acme/notes:1.2.0"), "--yes")
    refused(check, "signed by another than the rule names", other, run, before, ["sign"])


def tampered(check, registry, author, user, digest, make):
    """Bytes that are not those that were named, wherever they lie."""
    tag, pinned = registry.reference("acme/notes:1.2.0"), registry.reference(f"acme/notes@{digest}")
    manifest = json.loads(registry.manifest("acme/notes", digest))
    layers = [layer["digest"] for layer in manifest["layers"]]
    victim = make("victim")
    victim.trusts(registry.host, author.place / "author.pub")
    before = victim.kept()
    hashes = ["hashes to", "hash to", "should have", "more than"]
    for what, altered, change, reference in [
        ("one bit of the component", layers[0], flip, tag),
        ("one bit of the policy", layers[1], flip, tag),
        ("one bit of the WIT text", layers[2], flip, tag),
        ("a byte more of the component", layers[0], longer, tag),
        ("a space more in the manifest", digest, longer, tag),
        ("a space more in the manifest that is pinned", digest, longer, pinned),
    ]:
        with registry.altered(altered, change):
            run = victim.run("add", reference, "--yes")
        # A length that is wrong is a broken transfer until it hashes to something else.
        refused(check, what, victim, run, before, hashes, codes=(1, 3))
    signatures = json.loads(registry.manifest("acme/notes", f"sha256-{digest[7:]}.sig"))
    index = json.loads(registry.manifest("acme/notes", f"sha256-{digest[7:]}"))
    referrer = json.loads(registry.manifest("acme/notes", index["manifests"][0]["digest"]))
    payload, bundle = signatures["layers"][0]["digest"], referrer["layers"][0]["digest"]
    with registry.altered(payload, flip), registry.altered(bundle, flip):
        run = victim.run("add", tag, "--yes")
    refused(check, "both signatures altered", victim, run, before, ["sign"])
    with registry.altered(bundle, flip):
        run = victim.run("verify", tag)
    check("one of two signatures altered: the other one still holds", run.code == 0, run)
    run = victim.run("add", tag, "--yes")
    check("as it was again, it is added", run.code == 0, run)

    component = next((victim.home / "components").glob(f"sha256-{layers[0][7:]}*"))
    os.chmod(component, 0o600)
    component.write_bytes(flip(component.read_bytes()))
    run = victim.run("call", "notes_word_count", "{}")
    check("a component altered in the store is not run", run.code == 3 and "verify.digest" in run.err, run)
    served = victim.run("verify", "notes")
    listed = victim.run("list")
    check("… and the person is told", "notes" in listed.out + listed.err + served.err, listed)


def logged_in(check, guarded, author, make):
    reference = guarded.reference("acme/notes:1")
    push = ["push", reference, NOTES, "--plain-http"]
    login = ["login", guarded.host, "--username", USER, "--password-stdin", "--plain-http"]
    nobody = author.run(*push)
    check("a registry with passwords refuses who has none", nobody.code == 1 and f"casemate login {guarded.host}" in nobody.err, nobody)
    wrong = author.run(*login, typed="wrong\n")
    kept = author.home / "secrets/registries.json"
    check("a wrong password is not kept", wrong.code == 1 and not kept.exists() and "wrong" not in wrong.err, wrong)
    right = author.run(*login, typed=PASSWORD + "\n")
    check("the right one is, for its owner alone", right.code == 0 and kept.stat().st_mode & 0o777 == 0o600, right)
    check("… and shows nowhere", PASSWORD not in right.out + right.err)
    run = author.run(*push, "-vv")
    check("push with a login", run.code == 0, run)
    check("… which is not in the log", PASSWORD not in run.err and "Basic " not in run.err)
    run = author.run("logout", guarded.host)
    check("logout", run.code == 0 and author.run(*push).code == 1, run)

    reader = make("reader")
    directory = reader.place / "user/.docker"
    directory.mkdir()
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (directory / "config.json").write_text(json.dumps({"auths": {guarded.host: {"auth": auth}}}))
    run = reader.run("add", reference, "--yes")
    check("Docker's own login is used", run.code == 0, run)
    (directory / "config.json").unlink()
    podman = reader.place / "auth.json"
    podman.write_text(json.dumps({"auths": {f"{guarded.host}/acme": {"auth": auth}}}))
    run = reader.run("inspect", reference, REGISTRY_AUTH_FILE=str(podman))
    check("Podman's, for a part of the registry, as well", run.code == 0, run)

    typist = make("typist")
    words = ["login", guarded.host, "--plain-http"]
    code, shown = on_a_terminal(typist, words, [(b"user:", USER.encode() + b"\n"), (b"password:", PASSWORD.encode() + b"\r")])
    check("a person types both on a terminal", code == 0 and USER.encode() in shown, (code, shown))
    check("… and the password is not seen", PASSWORD.encode() not in shown, shown)
    code, shown = on_a_terminal(typist, words, [(b"user:", b"\x03")])
    check("Ctrl-C gives up", code == 1 and b"given up" in shown, (code, shown))


def synced(check, registry, user, digest, make):
    """A third home that is given what belongs in git, and nothing else."""
    third = make("third")
    for name in ("casemate.lock", "trust.yaml"):
        shutil.copy(user.home / name, third.home / name)
    shutil.copytree(user.home / "keys", third.home / "keys")
    if (user.home / "policies").exists():
        shutil.copytree(user.home / "policies", third.home / "policies", dirs_exist_ok=True)
    lock = (third.home / "casemate.lock").read_bytes()
    missing = third.run("sync", "--check")
    check("sync --check: something is missing", missing.code == 1, missing)
    component = json.loads(registry.manifest("acme/notes", digest))["layers"][0]["digest"]
    with registry.altered(component, flip):
        run = third.run("sync")
    check("sync takes no other bytes than the lock says", run.code in (1, 3) and third.run("sync", "--check").code == 1, run)
    # The tag means something else now; the lock does not.
    other = json.loads(registry.manifest("acme/unsigned", "1"))
    for layer in [*other["layers"], other["config"]]:
        registry.put_blob("acme/notes", registry.ask("GET", f"acme/unsigned/blobs/{layer['digest']}")[2], layer["mediaType"])
    original = registry.manifest("acme/notes", digest)
    registry.put_manifest("acme/notes", "1.2.0", other)
    run = third.run("sync")
    check("sync installs what the lock says, whatever the tag means now", run.code == 0, run)
    check("… byte for byte", (third.home / "casemate.lock").read_bytes() == lock)
    check("… and completely", third.run("sync", "--check").code == 0)
    ours, theirs = (set((person.home / "components").glob("sha256-*.wasm")) for person in (third, user))
    check("… with the same component", {file.name for file in ours} == {file.name for file in theirs}, (ours, theirs))
    check("… which is verified", third.run("verify", "notes").code == 0)
    status, _, _ = registry.ask("PUT", "acme/notes/manifests/1.2.0", original, Content_Type=MANIFEST)
    assert status == 201


def shaped_by_others(check, registry, make, wkg):
    user = make("foreign")
    digest = sha256(NOTES.read_bytes())

    def adds(what, reference, name):
        run = user.run("add", reference, "--name", name, "--yes")
        entry = user.entry(name) or {}
        check(f"{what}: added, byte for byte", run.code == 0 and entry.get("digest") == digest, run)
        return entry

    # As ORAS pushes a file: its own empty configuration, and the file's name as the title.
    client = oras.client.OrasClient(hostname=registry.host, insecure=True, tls_verify=False)
    with contextlib.chdir(NOTES.parent):
        client.push(target=f"{registry.host}/others/oras:1", files=["notes.wasm:application/wasm"])
    adds("pushed by ORAS", registry.reference("others/oras:1"), "by-oras")
    config = user.place / "config.json"
    config.write_text(json.dumps({"architecture": "wasm", "os": "wasip2"}))
    with contextlib.chdir(NOTES.parent):
        client.push(
            target=f"{registry.host}/others/oras:2",
            files=["notes.wasm:application/wasm"],
            manifest_config=f"{config}:application/vnd.wasm.config.v0+json",
            manifest_annotations={"org.opencontainers.image.version": "2.0.0"},
            disable_path_validation=True,
        )
    entry = adds("pushed by ORAS with a component's configuration", registry.reference("others/oras:2"), "by-oras-too")
    check("… and its version is in the lock", entry.get("version") == "2.0.0", entry)
    files = client.pull(target=f"{registry.host}/acme/notes:1.2.0", outdir=str(user.place))
    check("ORAS pulls what Casemate pushed", NOTES.read_bytes() in [pathlib.Path(file).read_bytes() for file in files], files)

    if wkg:
        words = [wkg, "oci", "push", "--insecure", registry.host, f"{registry.host}/others/wkg:1", str(NOTES)]
        pushed = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND, check=False)
        check("wkg pushes", pushed.returncode == 0, pushed)
        how = "pushed by wkg"
        back = user.place / "back.wasm"
        words = [wkg, "oci", "pull", "--insecure", registry.host, f"{registry.host}/acme/notes:1.2.0", "-o", str(back)]
        pulled = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND, check=False)
        check("wkg pulls what Casemate pushed", pulled.returncode == 0 and back.read_bytes() == NOTES.read_bytes(), pulled)
    else:
        how = "in the shape of wkg 0.16.1, put there by this script"
        layer = registry.put_blob("others/wkg", NOTES.read_bytes(), "application/wasm")
        config = {
            "created": "2026-11-22T09:30:00.123456789Z",
            "author": None,
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [layer["digest"]],
            "component": {"exports": ["local:notes/notes"], "imports": ["wasi:filesystem/types@0.2.6"], "target": None},
        }
        config = registry.put_blob("others/wkg", json.dumps(config, separators=(",", ":")).encode(), "application/vnd.wasm.config.v0+json")
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
        registry.put_manifest("others/wkg", "1", manifest)
    adds(how, registry.reference("others/wkg:1"), "by-wkg")

    # An index for several machines: a container image for one of them, the component for wasm.
    image = json.loads(registry.manifest("others/wkg", "1"))
    component = registry.put_manifest("others/wkg", "component", image)
    layer = registry.put_blob("others/wkg", b"no real layer", "application/vnd.oci.image.layer.v1.tar+gzip")
    config = registry.put_blob("others/wkg", b'{"architecture":"amd64","os":"linux"}', "application/vnd.oci.image.config.v1+json")
    container = registry.put_manifest("others/wkg", "container", {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]})
    linux = {**container, "platform": {"architecture": "amd64", "os": "linux"}}
    wasm = {**component, "platform": {"architecture": "wasm", "os": "wasip2"}}
    registry.put_manifest("others/wkg", "index", {"schemaVersion": 2, "mediaType": INDEX, "manifests": [linux, wasm]})
    entry = adds("an index of several platforms", registry.reference("others/wkg:index"), "from-index")
    check("… is locked to the manifest of the component", entry.get("manifest") == component["digest"], entry)
    registry.put_manifest("others/wkg", "containers", {"schemaVersion": 2, "mediaType": INDEX, "manifests": [linux]})
    before = user.kept()
    for what, tag in [("an index without a component", "containers"), ("a container image", "container")]:
        run = user.run("add", registry.reference(f"others/wkg:{tag}"), "--name", "container", "--yes")
        refused(check, what, user, run, before, ["WebAssembly"], codes=(1,))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--registry", required=True)
    parser.add_argument("--casemate", required=True)
    parser.add_argument("--wkg")
    chosen = parser.parse_args()
    binary = pathlib.Path(chosen.casemate).resolve()
    place = pathlib.Path(tempfile.mkdtemp(prefix="casemate-registry-"))
    check = Checks()
    registries = []
    try:
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=5)).decode()
        (place / "htpasswd").write_text(f"{USER}:{hashed}\n")
        registry = Registry(chosen.registry, place / "open")
        registries.append(registry)
        guarded = Registry(chosen.registry, place / "guarded", place / "htpasswd")
        registries.append(guarded)

        def make(name):
            return Person(binary, place / name, plain=(registry.host, guarded.host))

        author, user = Person(binary, place / "author"), make("user")
        digest = published(check, registry, author)
        added(check, registry, author, user, digest)
        distrusted(check, registry, author, make)
        tampered(check, registry, author, user, digest, make)
        synced(check, registry, user, digest, make)
        logged_in(check, guarded, author, make)
        shaped_by_others(check, registry, make, chosen.wkg)
    finally:
        for each in registries:
            each.stop()
        shutil.rmtree(place, ignore_errors=True)
    print(f"{check.passed + check.failed} checks, {check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
