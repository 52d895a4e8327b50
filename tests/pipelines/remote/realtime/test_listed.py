"""What `bench list` and `bench doctor` say of Realtime servers."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from firstpacket.bench import doctor
from firstpacket.bench.catalogue import Entry, catalogue
from firstpacket.bench.errors import MissingDependency
from firstpacket.bench.registry import require
from firstpacket.pipelines.remote.realtime import Realtime
from firstpacket.pipelines.remote.realtime.dialect import dialects


def entry() -> Entry:
    return next(each for each in catalogue() if (each.group, each.name) == ("pipeline", "realtime"))


def test_every_dialect_is_listed_with_how_it_was_checked() -> None:
    details = entry().details
    assert len(details) == len(dialects()) > 8
    for line, each in zip(details, dialects().values(), strict=True):
        assert line == f"dialect {each.name}  {each.summary}; checked: {each.checked}"
        assert each.checked.startswith("documentation only") or "2026" in each.checked


def test_the_transport_is_imported_when_it_is_used() -> None:
    code = "import sys, firstpacket.pipelines.remote.realtime as r; print('websockets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_without_its_library_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "websockets", None)
    found = next(each for each in doctor.of_plugins() if each.subject == "pipeline realtime")
    assert found.verdict == "missing"
    assert re.search(r"needs websockets, .* Install it with: .*\[realtime\]", found.text)
    with pytest.raises(MissingDependency, match=r"'realtime' needs .*: websockets\. Install it with: .*\[realtime\]"):
        require(Realtime.declaration)


def test_with_it_the_server_is_still_needed() -> None:
    found = next(each for each in doctor.of_plugins() if each.subject == "pipeline realtime")
    assert (found.verdict, found.text) == ("ok", "installed; needs a server, which `bench run` checks")
