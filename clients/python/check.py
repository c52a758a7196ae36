#!/usr/bin/env python3
"""Checks the server with the official Python client over stdio and HTTP, in both eras of the protocol.

For each transport and each of the client's modes (auto, legacy, 2026-07-28) it takes a throw-away home with
the committed examples, the fixture, and what else is named, starts `casemate serve` and uses it as a client does: list,
call every tool of clients/calls.json, be denied, send what does not fit, see the list change after a grant on the command
line, take a call back. It starts the server as each configuration says that `casemate client-config` prints. Then, without
the client's help, it looks at how the process ends and what HTTP refuses.

Usage: check.py [--casemate PATH] [--component NAME=FILE[:WIT[:POLICY]]]... [--transport NAME]... [--mode MODE]... [--prepared FOLDER]
`--prepared` is a folder that clients/home.py has made with the components. Prints a line per check and
`N passed, N failed` at the end; exits with 1 if anything failed.
"""

import argparse
import asyncio
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request

from jsonschema import Draft202012Validator
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "clients"))
import home  # noqa: E402, the path has to be known first

TRANSPORTS = ("stdio", "http")
MODES = ("auto", "legacy", "2026-07-28")
# The longest that a grant may take to reach a running server, and a server to end.
WITHIN = 1.0
END_WITHIN = 2.0
# The longest that one conversation may take.
CONVERSATION = 240


class Checks:
    """Counts, and prints each check as it is made."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.section = ""

    def __call__(self, name, held, seen=None):
        if held:
            self.passed += 1
            print(f"ok    {self.section}: {name}", flush=True)
        else:
            self.failed += 1
            shown = "" if seen is None else f": {seen!r}"
            print(f"FAIL  {self.section}: {name}{shown}"[:2000], flush=True)
        return held


def texts(result):
    return [block.text for block in result.content if block.type == "text"]


def at(value, pointer):
    """What a JSON Pointer names, or None."""
    for key in pointer.split("/")[1:]:
        try:
            value = value[int(key)] if isinstance(value, list) else value[key]
        except (LookupError, TypeError, ValueError):
            return None
    return value


def faults(wanted, value):
    """What of a call's `equals` and `contains` does not hold for its structured result."""
    found = []
    for pointer, right in wanted.get("equals", {}).items():
        if at(value, pointer) != right:
            found.append((pointer, at(value, pointer), right))
    for pointer, part in wanted.get("contains", {}).items():
        if part not in str(at(value, pointer)):
            found.append((pointer, at(value, pointer), part))
    return found


async def call(check, client, schemas, name, arguments, what):
    """Calls a tool with good arguments; its result must be one, and fit the tool's own schema."""
    result = await client.call_tool(name, arguments)
    errors = [error.message for error in Draft202012Validator(schemas[name]).iter_errors(result.structured_content)]
    held = not result.is_error and not errors
    check(f"{name} {what}", held, errors or texts(result))
    return (result.structured_content or {}).get("result") if held else {}


async def table(check, client, setup, schemas, pages):
    """Every call of clients/calls.json that the installed components have."""
    for calls in setup.calls(pages).values():
        for wanted in calls:
            name = wanted["tool"]
            if wanted.get("cancelled"):
                await taken_back(check, client, setup, name)
                continue
            result = await client.call_tool(name, wanted["arguments"])
            value = result.structured_content
            errors = [error.message for error in Draft202012Validator(schemas[name]).iter_errors(value)]
            check(f"{name} returns what fits its schema", value is not None and not errors, errors or texts(result))
            error = bool(wanted.get("error") or wanted.get("denied"))
            check(f"… {'an error' if error else 'a result'}", bool(result.is_error) == error, texts(result))
            wrong = faults(wanted, value)
            check("… the right one", not wrong, wrong)
            if "denied" in wanted:
                said = " ".join(texts(result))
                check(f"… with {wanted['denied']}", f"({wanted['denied']})" in said, said)


async def until(condition, seconds):
    """Waits for something that another process does; tells whether it came about."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.02)
    return True


def computed():
    """Seconds of processor time that the servers among this process's children have used."""
    ticks = 0
    for file in pathlib.Path("/proc/self/task").glob("*/children"):
        for child in file.read_text().split():
            try:
                ticks += sum(int(field) for field in pathlib.Path(f"/proc/{child}/stat").read_text().rsplit(")")[-1].split()[11:13])
            except OSError:
                continue
    return ticks / 100


async def taken_back(check, client, setup, name):
    """A call that computes without end stops when its caller takes it back."""
    before = computed()
    running = asyncio.create_task(client.call_tool(name, {}))
    check(f"{name} computes", await until(lambda: computed() > before + 0.1 or running.done(), 30))
    running.cancel()
    try:
        await running
        check("… until it is taken back", False, running)
    except asyncio.CancelledError:
        pass

    def outcomes():
        return [record["outcome"] for record in setup.records() if record["tool"] == name]

    await until(outcomes, 10)
    check("… and is stopped when it is taken back", outcomes() == ["cancelled"], outcomes())
    answer = await client.call_tool("notes_current_time", {"zone": "UTC"})
    check("… and the conversation goes on", not answer.is_error, texts(answer))


async def bad_arguments(check, client, name, arguments, field, what):
    result = await client.call_tool(name, arguments)
    said = " ".join(texts(result))
    check(f"{what} is a tool error that names {field}", bool(result.is_error) and field in said, said)


async def changed(client, legacy_changes, action):
    """Runs `action` while waiting for list_changed; tells how long it took after `action` returned."""
    if client.protocol_version >= "2026-07-28":
        async with client.listen(tools_list_changed=True) as events:
            acted = await asyncio.to_thread(action)
            began = time.monotonic()
            async with asyncio.timeout(5):
                async for _ in events:
                    return acted, time.monotonic() - began
    legacy_changes.clear()
    acted = await asyncio.to_thread(action)
    began = time.monotonic()
    async with asyncio.timeout(5):
        await legacy_changes.wait()
    return acted, time.monotonic() - began


async def notes(check, client, setup, schemas, legacy_changes):
    """What the example in Rust is asked beyond the table: arguments that do not fit, denials, a grant, many at once."""
    today = time.strftime("%Y-%m-%dT", time.gmtime())
    time_there = await call(check, client, schemas, "notes_current_time", {"zone": "UTC"}, "tells the time")
    check("… of today", str(time_there.get("utc", "")).startswith(today), time_there)

    found = await call(check, client, schemas, "notes_search_text", {"folder": "/workspace", "pattern": "tea"}, "searches")
    places = [(match["path"], match["line"]) for match in found.get("matches", [])]
    wanted = [("/workspace/garden/plan.md", 1), ("/workspace/todo.md", 1), ("/workspace/todo.md", 3)]
    check("… and finds the three lines of the folder, whatever their case", sorted(places) == wanted, places)

    note = {"path": "/workspace/idea.md", "text": "grow mint\n"}
    denied = await client.call_tool("notes_save_note", note)
    refused(check, denied, setup)

    await bad_arguments(check, client, "notes_read_lines", {"path": "/workspace/todo.md"}, "first", "a missing one")
    wrong = {"path": 7, "first": 1}
    await bad_arguments(check, client, "notes_read_lines", wrong, "arguments.path", "a wrong type")
    extra = {"path": "/workspace/todo.md", "first": 1, "frist": 2}
    await bad_arguments(check, client, "notes_read_lines", extra, "frist", "an extra one")
    low = {"path": "/workspace/todo.md", "first": -1}
    await bad_arguments(check, client, "notes_read_lines", low, "arguments.first", "a number below its range")

    try:
        answer = await client.call_tool("notes_fly", {})
        check("an unknown tool is a protocol error", False, answer)
    except MCPError as error:
        check("an unknown tool is a protocol error", error.code == -32602, (error.code, error.message))
    except RuntimeError as error:
        check("an unknown tool is a protocol error", False, error)

    granted, took = await changed(
        client, legacy_changes, lambda: setup.casemate("grant", "notes", "write", "fs://workspace/**")
    )
    check("`casemate grant` succeeds", granted.returncode == 0, granted.stderr)
    check(f"list_changed comes within {WITHIN:g} s", took < WITHIN, took)
    listed = (await client.list_tools(cache_mode="bypass")).tools
    hints = {tool.annotations.read_only_hint for tool in listed if tool.name.startswith("notes_")}
    check("… and the tools are no longer said to be read-only", True not in hints, hints)

    written = await call(check, client, schemas, "notes_save_note", note, "writes once it may")
    check("… what it was given", written.get("path") == note["path"], written)
    line = {"path": note["path"], "line": "and sage"}
    await call(check, client, schemas, "notes_append_line", line, "appends")
    text = (setup.workspace / "idea.md").read_text()
    check("… and the file on disk has both", text == "grow mint\nand sage\n", text)

    zones = ["UTC", "Asia/Tokyo"] * 8
    several = await asyncio.gather(*(client.call_tool("notes_current_time", {"zone": zone}) for zone in zones))
    right = [result.structured_content["result"]["zone"] for result in several] == zones
    check("sixteen calls at once are answered each with its own", right)


async def conversation(check, setup, target, mode, pages):
    legacy_changes = asyncio.Event()

    async def on_message(message):
        # The method is a field of the notification, wrapped or not, depending on its kind.
        inner = getattr(message, "root", message)
        if getattr(inner, "method", None) == "notifications/tools/list_changed":
            legacy_changes.set()

    async with Client(target, mode=mode, message_handler=on_message, read_timeout_seconds=60) as client:
        expected = {"auto": "2026-07-28", "legacy": "2025-11-25", "2026-07-28": "2026-07-28"}[mode]
        check(f"the protocol is {expected}", client.protocol_version == expected, client.protocol_version)
        if client.server_info is not None:
            check("the server says that it is casemate", client.server_info.name == "casemate", client.server_info)

        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        wanted = {call["tool"] for calls in setup.calls(pages).values() for call in calls}
        if not check(f"tools/list lists the {len(wanted)} tools", set(tools) == wanted, sorted(set(tools) ^ wanted)):
            return
        for tool in tools.values():
            Draft202012Validator.check_schema(tool.input_schema)
            Draft202012Validator.check_schema(tool.output_schema)
        check("all schemas are JSON Schema 2020-12", True)
        check("every tool has a description and a title", all(tool.description and tool.title for tool in tools.values()))
        again = [tool.name for tool in (await client.list_tools(cache_mode="bypass")).tools]
        check("the order of the list is the same every time", again == list(tools), again)
        hints = {tool.annotations.read_only_hint for name, tool in tools.items() if name.startswith("notes_")}
        check("what can only read is said to be read-only", hints == {True}, hints)
        schemas = {name: tool.output_schema for name, tool in tools.items()}

        await table(check, client, setup, schemas, pages)
        await notes(check, client, setup, schemas, legacy_changes)
        if isinstance(target, str):
            await beside(check, target, mode)

    # Each call that was started left one line: the good ones, the error, the denied one, and none for bad arguments.
    records = setup.records()
    check("the audit log has a line for each call", len(records) >= 24, len(records))


async def beside(check, target, mode):
    """Over HTTP a server has several clients at once, each in its own era."""
    other = "2026-07-28" if mode == "legacy" else "legacy"
    async with Client(target, mode=other, read_timeout_seconds=60) as second:
        answer = await second.call_tool("notes_current_time", {"zone": "Asia/Tokyo"})
        check(f"a second client beside it, {other}, is answered", not answer.is_error, texts(answer))


def refused(check, result, setup):
    """A denied call: an error, with Casemate's own words beside the guest's."""
    check("a write without a grant is an error", bool(result.is_error), texts(result))
    pattern = re.compile(r"^Casemate refused: .*/workspace/idea\.md.*\(denied\.storage\.write\).*call (\w+)")
    ours = [found for text in texts(result) for found in [pattern.search(text)] if found]
    check("… a block of Casemate's own names the path, the reason and the call", len(ours) == 1, texts(result))
    meta = json.dumps(result.meta or {})
    call_id = ours[0].group(1) if ours else "none"
    check("… and so does _meta", "denied.storage.write" in meta and call_id in meta, meta)
    check("… and no command to run is among it", "casemate grant" not in " ".join(texts(result)) + meta, meta)
    check("… nothing was written", not (setup.workspace / "idea.md").exists())


META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "check", "version": "0"},
}
# The noisiest that a server can be made from outside: all of it has to go to standard error.
NOISY = {"RUST_LOG": "trace", "RUST_BACKTRACE": "full", "WASMTIME_BACKTRACE_DETAILS": "1"}


def ends(check, setup, errors):
    """Ends of a process on standard input and output, without a client: EOF and SIGTERM."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
    for how in ("end of input", "SIGTERM"):
        server = subprocess.Popen(
            [setup.binary, *setup.serve()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=setup.environment() | NOISY,
            cwd=setup.place,
        )
        try:
            server.stdin.write(json.dumps(request) + "\n")
            server.stdin.flush()
            answer = json.loads(server.stdout.readline())
            check("a bare tools/list of 2026-07-28 is answered", len(answer["result"]["tools"]) >= 7, answer)
            began = time.monotonic()
            if how == "SIGTERM":
                server.terminate()
            else:
                server.stdin.close()
            server.wait(timeout=END_WITHIN + 5)
            took = time.monotonic() - began
            check(f"{how} ends the process within {END_WITHIN:g} s", took < END_WITHIN, took)
            if how == "end of input":
                check("… with status 0", server.returncode == 0, server.returncode)
            rest = server.stdout.read()
            check("… and stdout held nothing but answers, with RUST_LOG=trace", rest == "", rest)
            check("… which went to stderr", errors.tell() > 0)
        except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
            check(f"the server lives and ends on {how}", False, error)
        finally:
            server.kill()
            server.wait()


def post(address, method, params=None, **headers):
    """One bare POST of the newest protocol; returns the status and the body."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": (params or {}) | {"_meta": META}}
    sent = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": method,
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(address, json.dumps(body).encode(), sent)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def ends_http(check, setup):
    """Who may talk to a server on HTTP, and its end with a subscription open, without a client."""
    with home.Listening(setup, NOISY) as server:
        check("the address is one of this machine alone", server.address.startswith("http://127.0.0.1:"), server.address)
        status, body = post(server.address, "tools/list")
        check("a bare tools/list of 2026-07-28 is answered", status == 200 and "notes_read_lines" in body, (status, body))
        status, body = post(server.address, "tools/list", Origin="http://evil.example")
        check("a page of another origin is refused", status == 403, (status, body))
        status, body = post(server.address, "tools/list", Host="evil.example")
        check("another name for this machine is refused", status == 403, (status, body))
        status, body = post(server.address, "tools/list", Mcp_Method="tools/call")
        check("a header that says another method is refused", status == 400 and "-32020" in body, (status, body))

        host, _, port = server.address.removeprefix("http://").partition("/")[0].partition(":")
        body = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen"}
        body["params"] = {"_meta": META, "notifications": {"toolsListChanged": True}}
        text = json.dumps(body)
        with socket.create_connection((host, int(port)), timeout=10) as stream:
            stream.sendall(
                f"POST /mcp HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
                "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n"
                f"Mcp-Method: subscriptions/listen\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
            )
            opened = b""
            while b"acknowledged" not in opened:
                part = stream.recv(65536)
                if not part:
                    break
                opened += part
            check("a subscription is acknowledged", b"acknowledged" in opened, opened)
            began = time.monotonic()
            server.process.terminate()
            try:
                server.process.wait(timeout=END_WITHIN + 5)
            except subprocess.TimeoutExpired:
                pass
            took = time.monotonic() - began
            check(f"SIGTERM ends the process within {END_WITHIN:g} s", took < END_WITHIN, took)
        rest = server.process.stdout.read()
        check("… and stdout held nothing, with RUST_LOG=trace", rest == "", rest)


# Clients that `casemate client-config` knows, and what each writes for the folder that is open.
CONFIGURED = {"claude-code": "${CLAUDE_PROJECT_DIR:-.}", "vscode": "${workspaceFolder}", "cursor": "${workspaceFolder}", "codex": "."}


async def as_configured(check, setup):
    """Starts the server by the words of each printed configuration, in the open folder, and reads a file of it."""
    for name, variable in CONFIGURED.items():
        printed = setup.casemate("--home", str(setup.home), "client-config", name, "--json")
        if not check(f"`casemate client-config {name}` prints", printed.returncode == 0, printed.stderr):
            continue
        text = json.loads(printed.stdout)["server"]["content"]
        servers = tomllib.loads(text)["mcp_servers"] if name == "codex" else next(iter(json.loads(text).values()))
        [server] = servers.values()
        check(f"… with the workspace as {variable}", variable in server["args"], server)
        words = [str(setup.workspace) if word == variable and word != "." else word for word in server["args"]]
        # Nothing is said of Casemate's home but by the printed words.
        environment = {key: value for key, value in setup.environment().items() if key != "CASEMATE_HOME"}
        target = StdioServerParameters(
            command=server["command"], args=words, env=environment | server.get("env", {}), cwd=setup.workspace
        )
        async with Client(target, mode="legacy", read_timeout_seconds=60) as client:
            answer = await client.call_tool("notes_read_lines", {"path": "/workspace/todo.md", "first": 1, "last": 1})
            check("… and the server so started reads the open folder", "buy tea" in str(texts(answer)), texts(answer))


async def as_configured_http(check, setup, address):
    """Connects to where each printed configuration says that a running server is."""
    for name in CONFIGURED:
        printed = setup.casemate("client-config", name, "--http", address, "--json")
        if not check(f"`casemate client-config {name} --http` prints", printed.returncode == 0, printed.stderr):
            continue
        text = json.loads(printed.stdout)["server"]["content"]
        servers = tomllib.loads(text)["mcp_servers"] if name == "codex" else next(iter(json.loads(text).values()))
        [server] = servers.values()
        # Claude Code and VS Code have to be told that it is no command, the others know from the key.
        kind = {"claude-code": "http", "vscode": "http"}.get(name)
        check("… the kind of server that it is, and no command", server.get("type") == kind and "command" not in server, server)
        async with Client(server["url"], mode="legacy", read_timeout_seconds=60) as client:
            answer = await client.call_tool("notes_read_lines", {"path": "/workspace/todo.md", "first": 1, "last": 1})
            check("… and the server there answers", "buy tea" in str(texts(answer)), texts(answer))


def configured_http(check, setup):
    with home.Listening(setup) as server:
        asyncio.run(asyncio.wait_for(as_configured_http(check, setup, server.address), CONVERSATION))


def talk(check, setup, transport, mode, pages):
    """One conversation over one transport."""
    setup.let_reach(pages)
    if transport == "stdio":
        target = StdioServerParameters(
            command=str(setup.binary), args=setup.serve(), env=setup.environment(), cwd=setup.place
        )
        asyncio.run(asyncio.wait_for(conversation(check, setup, target, mode, pages), CONVERSATION))
        return
    with home.Listening(setup) as server:
        asyncio.run(asyncio.wait_for(conversation(check, setup, server.address, mode, pages), CONVERSATION))


def attempt(check, binary, prepared, action):
    """Runs `action` with a setup of its own; whatever goes wrong is a failed check."""
    setup = home.Setup(binary, prepared)
    try:
        action(setup)
    except Exception as error:  # noqa: BLE001, whatever it is, it is a failed check
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        check("the conversation goes on to its end", False, (type(error).__name__, str(error)))
    finally:
        setup.remove()


def run(check, chosen, binary, prepared):
    transports = chosen.transport or TRANSPORTS
    with home.Pages() as pages:
        for transport in transports:
            for mode in chosen.mode or MODES:
                check.section = f"{transport} {mode}"
                attempt(check, binary, prepared, lambda setup: talk(check, setup, transport, mode, pages))
    if "stdio" in transports:
        check.section = "client-config"
        attempt(check, binary, prepared, lambda setup: asyncio.run(asyncio.wait_for(as_configured(check, setup), CONVERSATION)))
        check.section = "process on stdio"
        with tempfile.TemporaryFile() as errors:
            attempt(check, binary, prepared, lambda setup: ends(check, setup, errors))
    if "http" in transports:
        check.section = "client-config --http"
        attempt(check, binary, prepared, lambda setup: configured_http(check, setup))
        check.section = "process on HTTP"
        attempt(check, binary, prepared, lambda setup: ends_http(check, setup))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--casemate", default=str(ROOT / "target" / "release" / "casemate"))
    parser.add_argument("--component", action="append", type=home.component, default=[])
    parser.add_argument("--transport", action="append", choices=TRANSPORTS)
    parser.add_argument("--mode", action="append", choices=MODES)
    parser.add_argument("--prepared")
    chosen = parser.parse_args()
    binary = pathlib.Path(chosen.casemate).resolve()
    check = Checks()
    # Ended from outside, it still ends its servers and removes its folders.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    scratch = tempfile.mkdtemp(prefix="casemate-prepared-")
    try:
        prepared = chosen.prepared
        if prepared is None:
            prepared = pathlib.Path(scratch) / "prepared"
            home.prepare(binary, prepared, chosen.component)
        run(check, chosen, binary, prepared)
    except (home.NotInstalled, OSError, subprocess.TimeoutExpired) as error:
        check.section = "home"
        check("the components are installed", False, error)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"{check.passed} passed, {check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
