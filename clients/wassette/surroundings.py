"""What both programs find around them: files, pages on loopback, and, in a network of their own, names and addresses."""

import fcntl
import http.server
import os
import pathlib
import secrets
import socket
import struct
import subprocess
import tempfile
import threading

# Only in the network of the run: one address as any server of the internet has, one of a private network, one where clouds keep credentials.
PUBLIC, PRIVATE, METADATA = "93.184.215.14", "10.1.2.3", "169.254.169.254"
# What the name server answers, in turn. A name that is not here is answered with PUBLIC.
NAMES = {
    "inside.example.test": ["127.0.0.1"],
    "metadata.example.test": [METADATA],
    "rebinding.example.test": [PUBLIC, "127.0.0.1"],
}
# What a guest must not see: a variable of the server's, and a file outside of what is granted.
CANARY = secrets.token_hex(8)


class Files:
    """The folder D, with a canary in every file that tells which one was read."""

    def __init__(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="casemate-wassette-"))
        self.folder = self.place / "D"
        for name in ("a.txt", "b.md", "secret/key.txt"):
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"content of {name}")
        (self.place / "outside.txt").write_text("content of outside.txt")
        (self.folder / "link.txt").symlink_to("../outside.txt")
        os.mkfifo(self.folder / "pipe")


class Pages:
    """Servers on two ports of an address. They keep which address and port was asked for."""

    def __init__(self, address):
        self.asked = []
        self.servers = []
        for _ in range(2):
            server = http.server.ThreadingHTTPServer((address, 0), self._handler())
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.servers.append(server)
        self.port, self.other = (server.server_port for server in self.servers)

    def _handler(self):
        asked = self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802, the name that the library calls
                asked.append("{}:{}".format(*self.request.getsockname()))
                self.send_response(200)
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"page")

            def log_message(self, *_):
                pass

        return Handler

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()


class Network:
    """The network namespace that this process was started in: its addresses, its name server."""

    def __init__(self, place):
        for index, address in enumerate(("127.0.0.1", PUBLIC, PRIVATE, METADATA)):
            self._address(b"lo:%d" % index if index else b"lo", address)
        resolver = place / "resolv.conf"
        resolver.write_text("nameserver 127.0.0.1\n")
        # The mount is of this process's own mount namespace, and ends with it.
        subprocess.run(["mount", "--bind", resolver, "/etc/resolv.conf"], check=True, timeout=30)
        self.names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.names.bind(("127.0.0.1", 53))
        self.looked_up = []
        self.turn = {}
        threading.Thread(target=self._answer, daemon=True).start()

    @staticmethod
    def _address(name, address):
        """Gives an interface an IPv4 address and puts it up: SIOCSIFADDR and SIOCSIFFLAGS of netdevice(7)."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            at = struct.pack("16sH2s4s8s", name, socket.AF_INET, b"", socket.inet_aton(address), b"")
            fcntl.ioctl(control, 0x8916, at)
            fcntl.ioctl(control, 0x8914, struct.pack("16sH14s", name, 0x1 | 0x40, b""))

    def _answer(self):
        """Answers what is asked for A with one address of no lifetime, and everything else with nothing (RFC 1035)."""
        while True:
            asked, sender = self.names.recvfrom(4096)
            labels, at = [], 12
            while asked[at]:
                labels.append(asked[at + 1 : at + 1 + asked[at]].decode("ascii", "replace").lower())
                at += 1 + asked[at]
            question = asked[12 : at + 5]
            name, kind = ".".join(labels), struct.unpack(">H", asked[at + 1 : at + 3])[0]
            self.looked_up.append(name)
            address = b""
            if kind == 1:
                addresses = NAMES.get(name, [PUBLIC])
                turn = self.turn.get(name, 0)
                self.turn[name] = turn + 1
                address = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton(addresses[min(turn, len(addresses) - 1)])
            head = asked[:2] + struct.pack(">HHHHH", 0x8180, 1, 1 if address else 0, 0, 0)
            self.names.sendto(head + question + address, sender)
