#!/usr/bin/env python3
"""Checks the server with the official Python client over stdio, in both eras of the protocol.

For each of the client's modes (auto, legacy, 2026-07-28) it makes a throw-away home, installs examples/rust/notes.wasm
with its policy through the binary, starts `casemate serve` and uses it as a client does: list, call every tool, be
denied, send what does not fit, see the list change after a grant on the command line. Then, without the client's help,
it looks at how the process ends.

Usage: check.py [--casemate PATH] [--mode MODE]...
Prints a line per check and `N passed, N failed` at the end; exits with 1 if anything failed.
"""

import argparse
import asyncio
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from jsonschema import Draft202012Validator
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "rust"
MODES = ("auto", "legacy", "2026-07-28")
# The longest that a grant may take to reach a running server, and a server to end.
WITHIN = 1.0
END_WITHIN = 2.0

TOOLS = {
    "notes_append_line",
    "notes_convert_time",
    "notes_current_time",
    "notes_list_zones",
    "notes_read_lines",
    "notes_save_note",
    "notes_search_text",
}


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


class Setup:
    """A throw-away home with the example in it, and a folder of notes."""

    def __init__(self, binary):
        self.binary = binary
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="casemate-client-"))
        self.home = self.place / "home"
        self.home.mkdir(mode=0o700)
        # A script has no terminal to confirm on; a person says here that this home may do without.
        (self.home / "config.toml").write_text("[grants]\nwithout-terminal = true\n")
        self.workspace = self.place / "notes"
        (self.workspace / "garden").mkdir(parents=True)
        (self.workspace / "todo.md").write_text("buy tea\nwater the plants\nmore tea\n")
        (self.workspace / "garden" / "plan.md").write_text("Tea roses: south wall\n")

    def environment(self):
        # Nothing of the caller's own home is looked at.
        return {"PATH": os.environ.get("PATH", ""), "HOME": str(self.place), "CASEMATE_HOME": str(self.home)}

    def casemate(self, *words):
        return subprocess.run(
            [self.binary, *words],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=self.environment(),
            cwd=self.place,
            timeout=120,
            check=False,
        )

    def server(self):
        return StdioServerParameters(
            command=str(self.binary),
            args=["serve", "--workspace", str(self.workspace)],
            env=self.environment(),
            cwd=self.place,
        )

    def remove(self):
        shutil.rmtree(self.place, ignore_errors=True)


def install(check, setup):
    added = setup.casemate(
        "add",
        str(EXAMPLE / "notes.wasm"),
        "--name",
        "notes",
        "--wit",
        str(EXAMPLE / "wit"),
        "--policy",
        str(EXAMPLE / "policy.yaml"),
    )
    return check("`casemate add` installs the example", added.returncode == 0, added.stderr + added.stdout)


def texts(result):
    return [block.text for block in result.content if block.type == "text"]


async def call(check, client, schemas, name, arguments, what):
    """Calls a tool with good arguments; its result must be one, and fit the tool's own schema."""
    result = await client.call_tool(name, arguments)
    errors = [error.message for error in Draft202012Validator(schemas[name]).iter_errors(result.structured_content)]
    held = not result.is_error and not errors
    check(f"{name} {what}", held, errors or texts(result))
    return (result.structured_content or {}).get("result") if held else {}


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


async def conversation(check, setup, mode):
    legacy_changes = asyncio.Event()

    async def on_message(message):
        # The method is a field of the notification, wrapped or not, depending on its kind.
        inner = getattr(message, "root", message)
        if getattr(inner, "method", None) == "notifications/tools/list_changed":
            legacy_changes.set()

    async with Client(setup.server(), mode=mode, message_handler=on_message, read_timeout_seconds=30) as client:
        expected = {"auto": "2026-07-28", "legacy": "2025-11-25", "2026-07-28": "2026-07-28"}[mode]
        check(f"the protocol is {expected}", client.protocol_version == expected, client.protocol_version)
        if client.server_info is not None:
            check("the server says that it is casemate", client.server_info.name == "casemate", client.server_info)

        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        check("tools/list lists the seven tools", set(tools) == TOOLS, sorted(tools))
        if set(tools) != TOOLS:
            return
        for tool in tools.values():
            Draft202012Validator.check_schema(tool.input_schema)
            Draft202012Validator.check_schema(tool.output_schema)
        check("all schemas are JSON Schema 2020-12", True)
        check("every tool has a description and a title", all(tool.description and tool.title for tool in tools.values()))
        again = [tool.name for tool in (await client.list_tools(cache_mode="bypass")).tools]
        check("the order of the list is the same every time", again == list(tools), again)
        hints = {tool.annotations.read_only_hint for tool in tools.values()}
        check("what can only read is said to be read-only", hints == {True}, hints)
        schemas = {name: tool.output_schema for name, tool in tools.items()}

        found = await call(
            check, client, schemas, "notes_search_text", {"folder": "/workspace", "pattern": "tea"}, "finds lines"
        )
        places = [(match["path"], match["line"]) for match in found.get("matches", [])]
        wanted = [("/workspace/garden/plan.md", 1), ("/workspace/todo.md", 1), ("/workspace/todo.md", 3)]
        check("… the three of the folder, whatever their case", sorted(places) == wanted, places)

        excerpt = await call(
            check, client, schemas, "notes_read_lines", {"path": "/workspace/todo.md", "first": 2, "last": 2}, "reads"
        )
        check("… the line asked for", excerpt.get("text", "").strip() == "water the plants", excerpt)

        time_there = await call(check, client, schemas, "notes_current_time", {"zone": "Asia/Tokyo"}, "tells the time")
        check("… with its offset", str(time_there.get("local", "")).endswith("+09:00"), time_there)
        today = time.strftime("%Y-%m-%dT", time.gmtime())
        check("… of today", str(time_there.get("utc", "")).startswith(today), time_there)

        arguments = {"local": "2026-07-01T15:00", "from-zone": "UTC", "to-zone": "America/New_York"}
        converted = await call(check, client, schemas, "notes_convert_time", arguments, "converts")
        local = (converted.get("converted") or {}).get("local")
        check("… 15:00 UTC to 11:00 in New York", local == "2026-07-01T11:00:00-04:00", local)

        zones = await call(check, client, schemas, "notes_list_zones", {"filter": "berlin"}, "lists zones")
        names = [zone["name"] for zone in zones or []]
        check("… one of that name", names == ["Europe/Berlin"], names)

        error = await client.call_tool("notes_current_time", {"zone": "Europe/Atlantis"})
        check("a tool's own error is a result with isError", bool(error.is_error), texts(error))
        fits = Draft202012Validator(schemas["notes_current_time"]).is_valid(error.structured_content)
        check("… and its value fits the schema", fits, error.structured_content)

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
        hints = {tool.annotations.read_only_hint for tool in (await client.list_tools(cache_mode="bypass")).tools}
        check("… and the tools are no longer said to be read-only", True not in hints, hints)

        written = await call(check, client, schemas, "notes_save_note", note, "writes once it may")
        check("… what it was given", written.get("path") == note["path"], written)
        line = {"path": note["path"], "line": "and sage"}
        await call(check, client, schemas, "notes_append_line", line, "appends")
        text = (setup.workspace / "idea.md").read_text()
        check("… and the file on disk has both", text == "grow mint\nand sage\n", text)

        several = await asyncio.gather(
            *(client.call_tool("notes_current_time", {"zone": zone}) for zone in ["UTC", "Asia/Tokyo"] * 8)
        )
        right = all(
            result.structured_content["result"]["zone"] == zone
            for result, zone in zip(several, ["UTC", "Asia/Tokyo"] * 8, strict=True)
        )
        check("sixteen calls at once are answered each with its own", right)

    # Each call that was started left one line: the good ones, the error, the denied one, and none for bad arguments.
    records = []
    for file in sorted((setup.home / "audit").glob("*.jsonl")):
        records += [json.loads(text) for text in file.read_text().splitlines()]
    started = [record for record in records if "call" in json.dumps(record)]
    check("the audit log has lines, all of them JSON", len(started) >= 24, len(records))


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


def ends(check, setup, errors):
    """Ends of the process, without a client: EOF and SIGTERM, idle and while a call runs."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "check", "version": "0"},
    }
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    # The noisiest that a server can be made from outside: all of it has to go to standard error.
    noisy = setup.environment() | {"RUST_LOG": "trace", "RUST_BACKTRACE": "full", "WASMTIME_BACKTRACE_DETAILS": "1"}
    for how in ("end of input", "SIGTERM"):
        server = subprocess.Popen(
            [setup.binary, "serve", "--workspace", str(setup.workspace)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=noisy,
            cwd=setup.place,
        )
        try:
            server.stdin.write(json.dumps(request) + "\n")
            server.stdin.flush()
            answer = json.loads(server.stdout.readline())
            check("a bare tools/list of 2026-07-28 is answered", len(answer["result"]["tools"]) == 7, answer)
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--casemate", default=str(ROOT / "target" / "release" / "casemate"))
    parser.add_argument("--mode", action="append", choices=MODES)
    chosen = parser.parse_args()
    binary = pathlib.Path(chosen.casemate).resolve()
    check = Checks()
    for mode in chosen.mode or MODES:
        check.section = mode
        setup = Setup(binary)
        try:
            if install(check, setup):
                asyncio.run(asyncio.wait_for(conversation(check, setup, mode), 120))
        except Exception as error:  # noqa: BLE001, whatever it is, it is a failed check
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            check("the conversation goes on to its end", False, (type(error).__name__, str(error)))
        finally:
            setup.remove()
    check.section = "process"
    setup = Setup(binary)
    try:
        if install(check, setup):
            with tempfile.TemporaryFile() as errors:
                ends(check, setup, errors)
    finally:
        setup.remove()
    print(f"{check.passed} passed, {check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
