"""The settings of a voice test: arguments of the call override pytest's command line, which overrides `bench.toml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from firstpacket.bench.config import gather
from firstpacket.bench.errors import EmptyValue, UnknownName, UsageError
from firstpacket.bench.gate.limits import FILE, Limits, limits, read_limits
from firstpacket.bench.gate.references import AUTO
from firstpacket.bench.gate.state import Reference
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.options import Options, about, parse_pipeline
from firstpacket.bench.testing.session import VoiceSession

WHERE = "voice test"


def refuse_empty(given: Mapping[str, Any]) -> None:
    """Raises `EmptyValue` for an empty text among the arguments of a call."""
    for name, value in given.items():
        for each in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(each, str) and not each.strip():
                raise EmptyValue(name)


def asked_options(
    pipelines: Sequence[str], config: str | Path | None, given: Mapping[str, Any], others: Sequence[str]
) -> Options:
    """The options of a run; `others` are further valid arguments of the call. Raises `UsageError`."""
    refuse_empty({"config": config})
    if "out" in given:
        raise UsageError("A voice test has no argument out: set the folder for runs with pytest --voice-out FOLDER.")
    known = {name for name, option in about().items() if option.test}
    for name in given:
        if name not in known:
            raise UnknownName("argument", name, known.union(others))
    flags = {**given, "pipelines": tuple(parse_pipeline(text) for text in pipelines)}
    file = Path(config) if config is not None else FILE if FILE.exists() else None
    return replace(gather(flags, file, WHERE), keep_audio=False, out=None)


def asked_limits(session: VoiceSession, file: str | Path | None, given: Mapping[str, Any]) -> Limits:
    """The limits in force; `given` holds the arguments of the call that are not None. Raises `UsageError`."""
    found = read_limits(None if file is None else Path(file))
    table = {name: given[name] for name in ("resolution", "max_minutes") if name in given}
    if session.max_minutes is not None:
        table.setdefault("max_minutes", session.max_minutes)
    allow = given.get("allow", session.allow)
    if allow is not None:
        table["allow"] = [allow] if isinstance(allow, str) else list(allow)
    if wanted := _limit_tables(given):
        table["limit"] = wanted
    checked = limits(table, WHERE)
    names = ("limits" if name == "limit" else name for name in table)
    return replace(found, **{name: getattr(checked, name) for name in names})


def asked_reference(
    session: VoiceSession, against: str | None, against_path: Sequence[str] | None, baseline: str | None, wanted: Limits
) -> Reference:
    """What the candidate is compared with; nothing if there are only ceilings. Raises `UsageError`."""
    if against is not None and baseline is not None:
        raise UsageError("against and baseline cannot be combined: a test compares with one baseline.")
    if against is None and baseline is None:
        if all(limit.ceiling_ms is not None for limit in wanted.limits):
            return Reference()
        against, baseline = session.against, session.baseline
    folders = against_path if against_path is not None else session.against_path or ()
    return Reference(against or "", tuple(folders), baseline or AUTO)


def _limit_tables(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One for the change and one for the ceiling, if the call sets them."""
    metric = {"metric": given.get("metric", HEADLINE)}
    change = {name: given[name] for name in ("max_regression", "floor_ms") if name in given}
    tables = []
    if change or ("metric" in given and "ceiling_ms" not in given):
        tables.append(metric | change)
    if "ceiling_ms" in given:
        tables.append(metric | {"statistic": given.get("statistic", "p95"), "ceiling_ms": given["ceiling_ms"]})
    elif "statistic" in given:
        raise UsageError("statistic needs ceiling_ms: changes are judged pair by pair, without a statistic.")
    return tables
