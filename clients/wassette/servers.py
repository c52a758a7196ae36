"""The two programs as MCP servers on standard input and output, and a client that waits no longer than it is told."""

import json
import os
import pathlib
import queue
import shutil
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
GUEST = HERE / "guest"
COMMAND = 120  # seconds in which a command has to end
READY = 6  # seconds in which a server that has begun to answer has to have loaded the guest
ANSWER = 20  # seconds in which what is not said to take long has to be answered


class Conversation:
    """One started server. `lines` is everything that came on its standard output."""

    def __init__(self, words, environment, place):
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment, cwd=place
        )
        self.lines, self.answers, self.last = [], {}, 0
        self._news = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.request("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "comparison", "version": "1"}})
        self._send({"method": "notifications/initialized"})
        self.tools = {}
        self.fault = self._ready()

    def _ready(self):
        """Waits until the guest can be called, since a server may load it after it has begun to answer; if it cannot, says how it stands."""
        end = time.monotonic() + READY
        while True:
            listed = (self.request("tools/list", {}) or {}).get("result", {}).get("tools", [])
            # Casemate puts the component's name in front and writes _ for -.
            self.tools = {tool["name"].removeprefix("probe_").replace("_", "-"): tool["name"] for tool in listed}
            served = "take-memory" in self.tools
            if served and (self.call("take-memory", mebibytes=0) or "").strip() == "0":
                return None
            if time.monotonic() > end:
                return "every call fails" if served else "not served"
            time.sleep(0.1)

    def _read(self):
        for line in self.process.stdout:
            self._news.put(line)
        self._news.put(None)

    def _send(self, message):
        try:
            self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it ended; the answer that does not come tells so

    def begin(self, method, params):
        """Sends a request and returns its id."""
        self.last += 1
        self._send({"id": self.last, "method": method, "params": params})
        return self.last

    def answer(self, number, seconds=ANSWER):
        """The answer to a request, or None if there is none in time."""
        end = time.monotonic() + seconds
        while number not in self.answers:
            try:
                line = self._news.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                return None
            if line is None:
                self._news.put(None)
                return None
            self.lines.append(line)
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict) and "method" not in message:
                self.answers[message.get("id")] = message
        return self.answers[number]

    def request(self, method, params, seconds=ANSWER):
        return self.answer(self.begin(method, params), seconds)

    def begin_call(self, tool, **arguments):
        return self.begin("tools/call", {"name": self.tools.get(tool, tool), "arguments": arguments})

    def call(self, tool, seconds=ANSWER, **arguments):
        """What a call was answered, as text, or None if it was not."""
        return text_of(self.answer(self.begin_call(tool, **arguments), seconds))

    def cancel(self, number):
        self._send({"method": "notifications/cancelled", "params": {"requestId": number, "reason": "no longer wanted"}})

    def computed(self):
        """Seconds of processor time that the server has used."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")")[-1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.kill()
        self.process.wait()


def text_of(answer):
    """All that an answer says, its error included."""
    if answer is None:
        return None
    result = answer.get("result") or {}
    said = [block.get("text", "") for block in result.get("content", [])]
    return "\n".join([*said, json.dumps(answer["error"])] if "error" in answer else said)


def environment(home, extra):
    return {"PATH": os.environ.get("PATH", ""), "HOME": str(home), **extra}


class Wassette:
    name = "Wassette"

    def __init__(self, binary, place):
        self.binary, self.home = binary, place / "wassette"
        self.components = self.home / "components"
        self.components.mkdir(parents=True)
        words = [binary, "--component-dir", self.components, "component", "load", f"file://{GUEST / 'probe.wasm'}"]
        subprocess.run(words, check=True, capture_output=True, env=environment(self.home, {}), cwd=self.home, timeout=COMMAND)
        words = [binary, "--version"]
        self.version = subprocess.run(words, check=True, capture_output=True, text=True, timeout=COMMAND).stdout.split()[0]

    def folder(self, path):
        return f"fs://{path}"

    def start(self, policy, extra):
        """A server with this policy for the guest, or without one."""
        file = self.components / "probe.policy.yaml"
        file.unlink(missing_ok=True)
        if policy is not None:
            file.write_text(policy)
        return Conversation([self.binary, "run", "--component-dir", self.components], environment(self.home, extra), self.home)


class Casemate:
    name = "Casemate"

    def __init__(self, binary, place):
        self.binary, self.home = binary, place / "casemate"
        self.home.mkdir(mode=0o700)
        # A script has no terminal to confirm on; a person says here that this home may do without.
        (self.home / "config.toml").write_text("[grants]\nwithout-terminal = true\n")
        words = [binary, "add", GUEST / "probe.wasm", "--name", "probe", "--wit", GUEST / "wit", "--yes"]
        subprocess.run(words, check=True, capture_output=True, env=self._environment({}), cwd=self.home, timeout=COMMAND)
        words = [binary, "--version"]
        self.version = subprocess.run(words, check=True, capture_output=True, text=True, timeout=COMMAND).stdout.split()[1]

    def _environment(self, extra):
        return environment(self.home, {"CASEMATE_HOME": str(self.home), **extra})

    def folder(self, path):
        return f"fs://{path}/**"

    def start(self, policy, extra):
        file = self.home / "policies" / "probe.yaml"
        file.unlink(missing_ok=True)
        if policy is not None:
            file.write_text(policy)
            file.chmod(0o600)
        return Conversation([self.binary, "serve"], self._environment(extra), self.home)


def found(name):
    """The absolute path of a program."""
    path = shutil.which(name) or name
    return str(pathlib.Path(path).resolve())
