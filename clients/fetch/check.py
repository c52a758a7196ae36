#!/usr/bin/env python3
"""A tool that fetches pages, against TLS servers on loopback: what a rule allows, and what it does not.

Makes a certificate authority of its own, which Casemate is told to trust by `[network] certificates`, and four servers: one
that a rule names, one on another port of the same address, one of another host, and one whose certificate nobody vouches for. The component `web` of
examples/javascript is called over MCP on standard input and output, and what each server was asked is counted there.

Usage: check.py --casemate PATH --component WEB.wasm
Prints a line per check; exits with 1 if one failed.
"""

import argparse
import http.server
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
WIT = ROOT / "examples" / "javascript" / "wit" / "web"
COMMAND = 180  # seconds; compiling a JavaScript component takes ten on an idle machine
ANSWER = 60
PAGE = "<title>Tides</title><nav>Menu</nav><h1>Tides</h1><p>High water at <b>nine</b>. <a href='/more'>More</a></p>"


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that breaks off, as one does that trusts no certificate, is nothing to report."""


class Site:
    """A TLS server on loopback. It keeps what it was asked."""

    def __init__(self, context, address="127.0.0.1", elsewhere=None):
        self.asked = []
        self.server = Quiet((address, 0), self._handler(elsewhere))
        self.authority = f"{address}:{self.server.server_port}"
        self.address = f"https://{self.authority}"
        # The handshake is left to the thread of the connection: a client that breaks it off must not hold up the others.
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def _handler(self, elsewhere):
        asked = self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # noqa: N802, the name that the library calls
                asked.append((self.command, self.path, self.headers.get("Host")))
                target = {"/moved": "/page", "/away": f"https://{elsewhere}/page", "/plain": f"http://{elsewhere}/page"}.get(self.path)
                if target:
                    return self.answer(302, "text/plain", b"", ("Location", target))
                if self.path == "/page":
                    return self.answer(200, "text/html; charset=utf-8", PAGE.encode())
                if self.path == "/data":
                    return self.answer(200, "application/json", b'{"tides": [{"at": "09:02", "metres": 5.10}]}')
                if self.path == "/large":
                    return self.answer(200, "text/plain", b"x" * ((4 << 20) + 1))
                return self.answer(404, "text/plain", b"nothing here")

            def answer(self, status, kind, body, *headers):
                self.send_response(status)
                for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), *headers):
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:  # the client had enough
                    self.close_connection = True

            def log_message(self, *_):
                pass

        return Handler


def certificates(place):
    """Two authorities with a certificate for loopback each: (file of the first, context of it, context of the second)."""

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=place, check=True, capture_output=True, timeout=COMMAND)

    contexts = []
    (place / "names").write_text("subjectAltName=IP:127.0.0.1,IP:127.0.0.2\nextendedKeyUsage=serverAuth\n")
    for name in ("trusted", "unknown"):
        new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
        openssl(*new, "-subj", f"/CN={name} authority", "-keyout", f"{name}-ca.key", "-out", f"{name}-ca.pem")
        made = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=loopback")
        openssl(*made, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signed = ("x509", "-req", "-in", f"{name}.csr", "-CA", f"{name}-ca.pem", "-CAkey", f"{name}-ca.key", "-CAcreateserial")
        openssl(*signed, "-days", "2", "-extfile", "names", "-out", f"{name}.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(place / f"{name}.pem", place / f"{name}.key")
        contexts.append(context)
    return place / "trusted-ca.pem", *contexts


class Server:
    """`casemate serve` on standard input and output, and the requests of a client."""

    def __init__(self, binary, environment, place):
        self.process = subprocess.Popen(
            [binary, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment, cwd=place
        )
        self.last = 0
        client = {"name": "clients/fetch", "version": "1"}
        self.request("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client})
        self._send({"method": "notifications/initialized"})

    def request(self, method, params):
        self.last += 1
        self._send({"id": self.last, "method": method, "params": params})
        late = threading.Timer(ANSWER, self.process.kill)
        late.start()
        try:
            for line in self.process.stdout:
                answer = json.loads(line)
                if answer.get("id") == self.last:
                    return answer["result"]
        finally:
            late.cancel()
        raise RuntimeError(f"no answer to {method} within {ANSWER} seconds")

    def call(self, name, **arguments):
        return Result(self.request("tools/call", {"name": name, "arguments": arguments}))

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(ANSWER)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _send(self, message):
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()


class Result:
    """The result of a call: its value or its error, and what Casemate says was refused."""

    def __init__(self, result):
        self.whole = result
        value = result.get("structuredContent") or {}
        self.value = value.get("result") or {}
        self.error = (value.get("error") or {}).get("tag")
        self.about = (value.get("error") or {}).get("val")
        self.words = " ".join(block["text"] for block in result["content"] if block["type"] == "text")
        denials = (result.get("_meta") or {}).get("casemate/denials", [])
        self.denials = [(denial["reason"], denial["subject"]) for denial in denials]


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, name, held, found=None):
        if held:
            self.passed += 1
            print(f"ok    {name}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL  {name}: {found!r}"[:2000], flush=True)


def refused(check, what, result, reason, authority):
    """A call that was refused one request: the tool has an error, and the reason is told beside it."""
    check(f"{what}: the tool's own error", result.error == "not-reached", result.whole)
    denied = [(reason, subject) for given, subject in result.denials if given == reason and authority in subject]
    check(f"{what}: {reason} as data", len(result.denials) == 1 and len(denied) == 1, result.denials)
    check(f"{what}: {reason} in words", f"Casemate refused: network {authority} ({reason})" in result.words, result.words)


def allowed(check, server, site):
    page = server.call("web_fetch_page", url=f"{site.address}/page")
    check("a page of the host that a rule names", page.value.get("title") == "Tides" and not page.denials, page.whole)
    text = f"# Tides\n\nHigh water at **nine**. [More]({site.address}/more)"
    check("… as Markdown, without its menu", page.value.get("text") == text, page.value)
    links = server.call("web_list_links", url=f"{site.address}/page")
    check("its links", links.value.get("links") == [{"url": f"{site.address}/more", "text": "More"}], links.whole)
    data = server.call("web_fetch_json", url=f"{site.address}/data", path="$.tides[*].metres")
    check("a part of a JSON document", [match["value"] for match in data.value.get("matches", [])] == ["5.10"], data.whole)
    missing = server.call("web_fetch_page", url=f"{site.address}/none")
    check("a page that is not there", missing.error == "not-found" and not missing.denials, missing.whole)
    large = server.call("web_fetch_page", url=f"{site.address}/large")
    check("an answer that is too large", large.error == "too-large" and not large.denials, large.whole)
    asked = [(method, path) for method, path, _ in site.asked]
    wanted = [("GET", path) for path in ("/page", "/page", "/data", "/none", "/large")]
    check("the server was asked once for each", asked == wanted, asked)
    hosts = {host for _, _, host in site.asked}
    check("… under its own name", hosts == {site.authority}, hosts)


def denied(check, server, site, beside, other):
    before = len(site.asked)
    port = server.call("web_fetch_page", url=f"{beside.address}/page")
    refused(check, "the same address, another port", port, "denied.network.port", beside.authority)
    host = server.call("web_fetch_page", url=f"{other.address}/page")
    refused(check, "another host", host, "denied.network.host", other.authority)
    name = server.call("web_fetch_page", url="https://intern.example/page")
    refused(check, "a name", name, "denied.network.host", "intern.example:443")
    scheme = server.call("web_fetch_page", url=f"http://{site.authority}/page")
    refused(check, "http instead of https", scheme, "denied.network.scheme", site.authority)
    asked = [*site.asked[before:], *beside.asked, *other.asked]
    check("nothing of this reached a server", not asked, asked)


def redirects(check, server, site, other):
    before = len(site.asked)
    unasked = server.call("web_fetch_page", url=f"{site.address}/moved")
    target = {"source": f"{site.address}/moved", "target": f"{site.address}/page", "status": 302}
    check("a redirect is seen by the tool, not followed", unasked.error == "redirected" and unasked.about == target, unasked.whole)
    followed = server.call("web_fetch_page", url=f"{site.address}/moved", **{"max-redirects": 1})
    check("one that the tool follows to the same host", followed.value.get("url") == f"{site.address}/page", followed.whole)
    paths = [path for _, path, _ in site.asked[before:]]
    check("… is a request of its own", paths == ["/moved", "/moved", "/page"], paths)
    away = server.call("web_fetch_page", url=f"{site.address}/away", **{"max-redirects": 1})
    refused(check, "a redirect to another host", away, "denied.network.host", other.authority)
    check("… which never hears of it", not other.asked, other.asked)
    plain = server.call("web_fetch_page", url=f"{site.address}/plain", **{"max-redirects": 1})
    check("a redirect to http is not followed by the tool", plain.error == "redirected" and not plain.denials, plain.whole)


def untrusted(check, server, stranger):
    result = server.call("web_fetch_page", url=f"{stranger.address}/page")
    check("a certificate that nobody vouches for", result.error == "not-reached" and not result.denials, result.whole)
    check("… gets no request", not stranger.asked, stranger.asked)


def recorded(check, home, other):
    """The audit log has a record for every call, with what it was refused."""
    records = [json.loads(line) for line in (home / "audit" / "calls.jsonl").read_text().splitlines()]
    text = [json.dumps(record) for record in records]
    refusals = [record for record in text if "denied.network.host" in record and other.authority in record]
    check("the audit log names what was refused", len(refusals) == 2, len(refusals))
    check("… and has no text of pages", not any("High water" in record for record in text), "a page is in the log")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--casemate", required=True)
    parser.add_argument("--component", required=True)
    chosen = parser.parse_args()
    binary, component = pathlib.Path(chosen.casemate).resolve(), pathlib.Path(chosen.component).resolve()
    place = pathlib.Path(tempfile.mkdtemp(prefix="casemate-fetch-"))
    check = Checks()
    sites, server = [], None
    try:
        authority, trusted, unknown = certificates(place)
        other = Site(trusted, address="127.0.0.2")
        site, beside, stranger = Site(trusted, elsewhere=other.authority), Site(trusted), Site(unknown)
        sites = [site, beside, other, stranger]
        home = place / "home"
        home.mkdir(mode=0o700)
        # A script has no terminal to confirm on; a person says here that this home may do without.
        (home / "config.toml").write_text(f'[grants]\nwithout-terminal = true\n\n[network]\ncertificates = "{authority}"\n')
        ports = ", ".join(named.authority.rpartition(":")[2] for named in (site, stranger))
        policy = place / "web.yaml"
        policy.write_text(
            'version: "1.0"\npermissions:\n  network:\n    allow:\n'
            f'      - {{ host: "127.0.0.1", ports: [{ports}] }}\n  resources:\n    limits: {{ memory: "256Mi", time: "60s" }}\n'
        )
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(place), "CASEMATE_HOME": str(home)}
        words = [binary, "add", component, "--name", "web", "--wit", WIT, "--policy", policy, "--yes"]
        added = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment, timeout=COMMAND, check=False)
        check("the component is added", added.returncode == 0, added.stderr)
        if added.returncode == 0:
            server = Server(binary, environment, place)
            allowed(check, server, site)
            denied(check, server, site, beside, other)
            redirects(check, server, site, other)
            untrusted(check, server, stranger)
            server.stop()
            server = None
            recorded(check, home, other)
    finally:
        if server:
            server.stop()
        for each in sites:
            each.stop()
        shutil.rmtree(place, ignore_errors=True)
    print(f"{check.passed} passed, {check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
