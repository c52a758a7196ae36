#!/usr/bin/env python3
"""Signatures under a `.sig` tag between Casemate and the Rust crate `sigstore`, in both directions, through Debian's docker-registry.

What Casemate signs, the crate accepts; what the crate signs, Casemate accepts; a key that the crate made and encrypted signs on both
sides; and neither side accepts anything that was tampered with. The crate has code of its own for all of it: registry, payload, keys
and cryptography (aws-lc, where Casemate has p256).

Not part of .ci/run: see `run`, which builds the crate's program and starts this.

Usage: check.py --registry DOCKER-REGISTRY --crate PROGRAM --casemate PATH
Prints a line per check, then how many there were; exits with 1 if one failed.
"""

import argparse
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "registry"))
from check import CHECKSUMS, COMMAND, MANIFEST, NOTES, Checks, Person, Registry, Run  # noqa: E402

REPOSITORY, TAG = "acme/notes", "1"
PASSWORD = "correct horse"
SIGNATURE = "dev.cosignproject.cosign/signature"
PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"


class Crate:
    """The program on the crate `sigstore`."""

    def __init__(self, binary, place):
        self.binary, self.place = binary, place

    def __call__(self, *words, password=PASSWORD):
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.place), "COSIGN_PASSWORD": password}
        return Run(
            subprocess.run(
                [self.binary, *map(str, words)],
                capture_output=True,
                text=True,
                cwd=self.place,
                env=environment,
                timeout=COMMAND,
                check=False,
            )
        )


class Signatures:
    """What a registry has under the `.sig` tag of an artifact, and other things in its place."""

    def __init__(self, registry, digest, repository=REPOSITORY):
        self.registry, self.repository = registry, repository
        self.tag = digest.replace(":", "-") + ".sig"

    def manifest(self):
        return json.loads(self.registry.manifest(self.repository, self.tag))

    def layer(self):
        """The payload and the signature in base64 of the only layer."""
        [layer] = self.manifest()["layers"]
        return self.registry.ask("GET", f"{self.repository}/blobs/{layer['digest']}")[2], layer["annotations"][SIGNATURE]

    def put(self, *signatures):
        """Every digest is right, as somebody who may write to the registry makes it."""
        config = self.registry.put_blob(self.repository, b"{}", "application/vnd.oci.image.config.v1+json")
        layers = [
            {**self.registry.put_blob(self.repository, payload, PAYLOAD), "annotations": {SIGNATURE: signature}}
            for payload, signature in signatures
        ]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
        self.registry.put_manifest(self.repository, self.tag, manifest)


def changed(payload, change):
    document = json.loads(payload)
    change(document)
    return json.dumps(document, separators=(",", ":")).encode()


def without_a_bit(signature):
    content = bytearray(base64.b64decode(signature))
    content[-1] ^= 1
    return base64.b64encode(content).decode()


def tampered(payload, signature, other):
    """Signatures that must not hold, by what is wrong with them; `other` is one of another artifact by the same key."""

    def digest(document):
        document["critical"]["image"]["docker-manifest-digest"] = "sha256:" + "0" * 64

    def reference(document):
        document["critical"]["identity"]["docker-reference"] += "-beta"

    def annotation(document):
        document["optional"] = {"env": "prod", "reviewed": "yes"}

    return {
        "a payload with another digest": (changed(payload, digest), signature),
        "a payload with another reference": (changed(payload, reference), signature),
        "a payload with another annotation": (changed(payload, annotation), signature),
        "a payload with a space more": (payload + b" ", signature),
        "a signature with another bit": (payload, without_a_bit(signature)),
        "a signature that is none": (payload, base64.b64encode(b"nothing").decode()),
        "the signature of another payload": (payload, other[1]),
        "a signature of another artifact, whole": other,
    }


def ours(check, registry, crate, author, digest, other):
    """Casemate signs, with a key of its own; the crate verifies."""
    for name in ("ours", "stranger"):
        made = author.run("sign", "--generate-key", name)
        check(f"casemate makes a key: {name}", made.code == 0, made)
    at = f"{registry.host}/{REPOSITORY}:{TAG}"
    run = crate("verify", author.place / "ours.pub", at)
    check("unsigned, the crate refuses it", run.code == 1 and " 0 signatures" in run.out, run)
    for artifact, more in ((f"{REPOSITORY}:{TAG}", ["-a", "env=prod"]), (f"{REPOSITORY}:2", [])):
        signed = author.run("sign", registry.reference(artifact), "--key", "ours.key", "--format", "legacy", "--plain-http", *more)
        check(f"casemate signs {artifact}", signed.code == 0, signed)
    there = Signatures(registry, digest)
    manifest = there.manifest()
    check("one layer of cosign's type is under cosign's tag", [layer["mediaType"] for layer in manifest["layers"]] == [PAYLOAD], manifest)
    accepted = crate("verify", author.place / "ours.pub", at)
    check("the crate accepts it", accepted.code == 0 and " 1 signatures" in accepted.out, accepted)
    run = crate("verify", author.place / "ours.pub", at, "env=prod")
    check("the crate finds its annotation", run.code == 0, run)
    run = crate("verify", author.place / "ours.pub", at, "env=test")
    check("the crate refuses another annotation", run.code == 1, run)
    run = crate("verify", author.place / "stranger.pub", at)
    check("the crate refuses another key", run.code == 1 and " 1 signatures" in run.out, run)
    payload, signature = there.layer()
    for what, wrong in tampered(payload, signature, Signatures(registry, other).layer()).items():
        there.put(wrong)
        run = crate("verify", author.place / "ours.pub", at)
        check(f"the crate refuses {what}", run.code == 1, run)
    there.put((payload, signature))
    run = crate("verify", author.place / "ours.pub", at)
    check("… and accepts it again as it was", run.code == 0, run)


def theirs(check, registry, crate, author, user, digest, other):
    """The crate signs, with a key that it made and encrypted; Casemate verifies, by a key that is given and by a rule."""
    at = f"{registry.host}/{REPOSITORY}:{TAG}"
    reference = registry.reference(f"{REPOSITORY}:{TAG}")
    for artifact, more in ((at, ["env=prod"]), (f"{registry.host}/{REPOSITORY}:2", [])):
        signed = crate("sign", "theirs.key", artifact, *more)
        check(f"the crate signs {artifact.split('/', 1)[1]}", signed.code == 0, signed)
    there = Signatures(registry, digest)
    payload, signature = there.layer()
    named = json.loads(payload)["critical"]["identity"]["docker-reference"]
    check("the crate's payload names the reference with its tag", named == at, named)
    key = crate.place / "theirs.pub"

    def verify(*words):
        return user.run("verify", reference, "--plain-http", "--json", *words)

    run = verify("--key", key)
    check("casemate accepts it with its key", run.code == 0, run)
    found = run.json()
    form = found["verified"][0]
    check("… as one of a .sig tag, trusted", (found["verdict"], form["form"]) == ("trusted", "legacy"), found)
    check("… and reads its annotation", form["annotations"] == {"env": "prod"}, found)
    run = verify("--key", author.place / "stranger.pub")
    check("casemate refuses another key", run.code == 3 and "verify.signature" in run.out, run)
    run = verify()
    check("without a rule and a key, nobody is trusted", run.code == 3, run)
    user.trusts(registry.host, key)
    run = verify()
    check("casemate accepts it by a rule", run.code == 0 and run.json()["verdict"] == "trusted", run)
    for what, wrong in tampered(payload, signature, Signatures(registry, other).layer()).items():
        there.put(wrong)
        for how, run in (("by a key", verify("--key", key)), ("by a rule", verify())):
            check(f"casemate refuses {what}, {how}", run.code == 3, run)
    run = user.run("add", reference, "--yes")
    check("casemate does not install it tampered with", run.code == 3 and not user.entry("notes"), run)
    there.put(tampered(payload, signature, (payload, signature))["a payload with a space more"], (payload, signature))
    run = verify()
    check("beside a wrong one, the right one is found", run.code == 0 and len(run.json()["rejected"]) == 1, run)
    there.put((payload, signature))
    run = user.run("add", reference, "--yes")
    check("casemate installs it as it was", run.code == 0 and user.entry("notes"), run)
    kept = user.run("verify", "notes", "--json")
    check("… and verifies it offline from what it kept", kept.code == 0 and kept.json()["verdict"] == "trusted", kept)


def shared(check, registry, crate, author, digest):
    """Casemate signs with the key that the crate made and encrypted."""
    key = crate.place / "theirs.key"
    text = key.read_text()
    check("the crate's key is encrypted as cosign does it", "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----" in text, text[:60])
    there = Signatures(registry, digest)
    there.put()
    words = ["sign", registry.reference(f"{REPOSITORY}:{TAG}"), "--key", key, "--format", "legacy", "--plain-http"]
    wrong = author.run(*words, CASEMATE_KEY_PASSWORD="wrong")
    check("with another password casemate does not sign", wrong.code == 2 and not there.manifest()["layers"], wrong)
    signed = author.run(*words, COSIGN_PASSWORD=PASSWORD)
    check("with its password casemate signs", signed.code == 0, signed)
    at = f"{registry.host}/{REPOSITORY}:{TAG}"
    run = crate("verify", crate.place / "theirs.pub", at)
    check("the crate accepts that with its own public key", run.code == 0, run)
    run = crate("verify", author.place / "ours.pub", at)
    check("… and refuses it with another", run.code == 1, run)
    sealed = author.run("sign", "--generate-key", "sealed", CASEMATE_KEY_PASSWORD=PASSWORD)
    if sealed.code == 0 and "ENCRYPTED" in (author.place / "sealed.key").read_text():
        there.put()
        run = crate("sign", author.place / "sealed.key", at)
        check("the crate signs with a key that casemate encrypted", run.code == 0, run)
        run = author.run("verify", registry.reference(f"{REPOSITORY}:{TAG}"), "--plain-http", "--key", "sealed.pub")
        check("… and casemate accepts that", run.code == 0, run)
        run = crate("sign", author.place / "sealed.key", at, password="wrong")
        check("… which the crate does not read with another password", run.code == 2, run)
    else:
        check("casemate encrypts a key", False, sealed)


def main():
    parser = argparse.ArgumentParser()
    for name in ("registry", "crate", "casemate"):
        parser.add_argument(f"--{name}", required=True)
    chosen = parser.parse_args()
    place = pathlib.Path(tempfile.mkdtemp(prefix="casemate-legacy-"))
    check = Checks()
    registry = None
    try:
        registry = Registry(chosen.registry, place / "registry")
        binary = pathlib.Path(chosen.casemate).resolve()
        author, user = Person(binary, place / "author"), Person(binary, place / "user", plain=[registry.host])
        (place / "crate").mkdir()
        crate = Crate(pathlib.Path(chosen.crate).resolve(), place / "crate")
        made = crate("generate", "theirs.key", "theirs.pub")
        check("the crate makes a key", made.code == 0, made)
        # As `cosign generate-key-pair` leaves it; Casemate uses no private key that everybody can read.
        os.chmod(place / "crate" / "theirs.key", 0o600)
        digests = []
        for tag, component in ((TAG, NOTES), ("2", CHECKSUMS)):
            pushed = author.run("push", registry.reference(f"{REPOSITORY}:{tag}"), component, "--plain-http", "--json")
            check(f"casemate pushes {REPOSITORY}:{tag}", pushed.code == 0, pushed)
            digests.append(pushed.json()["manifest"])
        ours(check, registry, crate, author, *digests)
        for digest in digests:
            Signatures(registry, digest).put()
        theirs(check, registry, crate, author, user, *digests)
        shared(check, registry, crate, author, digests[0])
    finally:
        if registry:
            registry.stop()
        shutil.rmtree(place, ignore_errors=True)
    print(f"{check.passed + check.failed} checks, {check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
