"""A server of pipelines/remote/http, as an engine has it, and certificates for tests of TLS."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.remote.http.options import Access
from firstpacket.pipelines.remote.http.server import Content, Server

KEY = "sk-very-secret-0123456789"
TOKEN = "team-token-9876"


def server_at(url: str, timeout_s: float = 5.0) -> Server:
    return Server(Access("asr", url, timeout_s, KEY, {"X-Token": TOKEN}), "asr")


def exchanged(server: Server, content: Content, path: str = "/chat/completions") -> TurnTrace:
    """One turn: prepared, then one exchange, whose events are all read."""
    trace = Trace(MonotonicClock())
    server.prepare(trace)
    with server.exchange("POST", server.url + path, trace, content) as answer:
        for _ in answer.events():
            pass
    return trace.finish()


def certificate(folder: Path, host: str) -> tuple[Path, Path] | None:
    """A self-signed certificate for a host, and its key; None without OpenSSL's program."""
    if (program := shutil.which("openssl")) is None:
        return None
    name = "IP:127.0.0.1" if host == "127.0.0.1" else f"DNS:{host}"
    made, key = folder / "server.pem", folder / "server.key"
    subprocess.run(
        [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={host}", "-addext", f"subjectAltName={name}", "-keyout", str(key), "-out", str(made)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return made, key
