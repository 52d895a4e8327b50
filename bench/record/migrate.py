"""Reads run folders of older schemas as if they had been written today; files on disk are not changed.

Each step converts the JSON of one schema to the next, file by file of the run folder. Figures are never touched:
tests/record/test_migrate.py compares runs of every older schema with the figures its own version printed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from firstpacket.bench.record.schema import SCHEMA
from firstpacket.bench.vocabulary import Flag

Raw = dict[str, Any]
"""A JSON object as stored in a file. A step may change it in place."""
OLDEST = 1


def _same(raw: Raw) -> Raw:
    return raw


@dataclass(frozen=True, slots=True)
class Step:
    """From one schema to the next: what changes in each file. Damaged values are left for the decoder to report."""

    manifest: Callable[[Raw], Raw] = _same
    segment: Callable[[Raw], Raw] = _same
    turn: Callable[[Raw], Raw] = _same
    evidence: Callable[[Raw], Raw] = _same


_OPTIONS_1 = {
    "input": "input",
    "seed": "seed",
    "threads": "threads",
    "keep_audio": "keep_audio",
    "limit": "limit",
    "trim_to_s": "trim_to",
    "start": "t0",
    "pre_roll_ms": "pre_roll",
    "microphone_limit_ms": "microphone_limit_ms",
    "idle_s": "idle",
    "idle_turns": "idle_turns",
    "nvtx": "nvtx",
    "profile_gpu": "profile_gpu",
}
"""Fields of the manifest that are options now."""


def _options_1(raw: Raw) -> Raw:
    options = {new: raw.pop(old) for old, new in _OPTIONS_1.items() if old in raw}
    audible, deadline_ms = raw.pop("audible", None), raw.pop("deadline_ms", None)
    if _is_object(audible):
        options |= {"audible_dbfs": audible.get("dbfs", -40.0), "audible_ms": audible.get("sustained_ms", 50)}
    if isinstance(deadline_ms, (int, float)):
        options["deadline"] = deadline_ms / 1000
    for name in ("idle", "idle_turns"):
        options[name] = options.get(name) or None
    raw.pop("t0", None)  # for people; it follows from the others
    return options


def _manifest_1(raw: Raw) -> Raw:
    for system in _objects(raw, "labels"):
        _system_1(system, raw.get("seed"))
    for old, new in (("settling", "warmup_rule"), ("until", "stopping_rule")):
        if old in raw:
            raw[new] = raw.pop(old)
    return {"options": _options_1(raw), **raw, "schema": 2}


def _system_1(raw: Raw, seed: object) -> None:
    """Schema 1 implied kinds of pipelines and stages by their names, and had one seed for all labels."""
    stages, options = list(_objects(raw, "stages")), raw.get("options")
    for stage in stages:
        if (kind := _kind_1(stage.get("id"))) != "other":
            stage["kind"] = kind
    hears = "direct" if "listen" in {stage.get("role") for stage in stages} else "other"
    architecture = "cascade" if "asr" in {stage.get("kind") for stage in stages} else hears
    raw["kind"] = "other" if raw.get("pipeline") == "scripted" else architecture
    raw["seed"] = seed
    raw["finds_speech_end"] = False
    if _is_object(options):
        raw["finds_speech_end"] = options.get("endpoint") == "vad"
        raw["engines"] = {kind: options[kind] for kind in _ENGINES_1 if isinstance(options.get(kind), str)}
        raw["overlaps"] = raw["kind"] == "cascade" and options.get("chain", "overlapped") == "overlapped"


def _kind_1(stage: object) -> str:
    """The kind of a stage by its name, as schema 1 implied it."""
    if stage in ("endpoint", "asr", "tts"):
        return str(stage)
    return "llm" if isinstance(stage, str) and stage.startswith("llm.") else "other"


def _segment_1(raw: Raw) -> Raw:
    """Schema 1 had the size of weights only in their detail text."""
    for weights in _objects(raw, "labels", "weights"):
        size = _SIZE_1.fullmatch(str(weights.get("detail")))
        if size:
            weights |= {"detail": "", "parameters": round(float(size[1]) * 1_000_000)}
    return raw


def _evidence_1(raw: Raw) -> Raw:
    """Schema 1 had token counts in a text, kinds in stage names, and garbage collections in the telemetry."""
    if "beside" in raw:
        raw["telemetry"] = raw.pop("beside")
    if _is_object(telemetry := raw.get("telemetry")) and "collections" in telemetry:
        raw["collections"] = telemetry.pop("collections")
    for name in ("start", "pre_roll_ns", "microphone_limit_ns", "audible"):
        raw.pop(name, None)  # options of the run
    names = [span.get("stage") for span in _objects(raw.get("trace"), "spans")]
    kinds = {name: _kind_1(name) for name in names if isinstance(name, str)}
    thinks = "llm.prefill" in kinds  # without it, a turn had no figures of its language model
    raw["kinds"] = {name: kind for name, kind in kinds.items() if kind != "other" and (thinks or kind != "llm")}
    if _is_object(trace := raw.get("trace")) and isinstance(texts := trace.get("texts"), list):
        for place, text in reversed(list(enumerate(texts))):
            counts = _USAGE_1.fullmatch(str(text.get("text"))) if _is_object(text) else None
            if counts and text.get("kind") == "usage":
                prompt, reply = map(int, counts.groups())
                trace["usage"] = {"prompt_tokens": prompt, "reply_tokens": reply, "at_ns": text.get("at_ns", 0)}
                del texts[place]
                break
    return raw


def _turn_1(raw: Raw) -> Raw:
    if isinstance(flags := raw.get("flags"), list):
        raw["flags"] = [_FLAGS_1.get(flag, flag) if isinstance(flag, str) else flag for flag in flags]
    return raw


_FLAGS_1 = {"cut": Flag.TRUNCATED, "machine_awake": Flag.NOT_FIRST_AFTER_IDLE}
"""Flags that have other names today."""
_ENGINES_1 = ("endpoint", "asr", "llm", "tts")
_SIZE_1 = re.compile(r"(\d{1,9}(?:\.\d)?) M (?:parameters|values|random values)")
_USAGE_1 = re.compile(r"(\d{1,15}) prompt tokens, (\d{1,15}) reply tokens")

STEPS: dict[int, Step] = {1: Step(manifest=_manifest_1, segment=_segment_1, turn=_turn_1, evidence=_evidence_1)}
"""Steps by the schema they start from; every schema from `OLDEST` to the one before this version's has one."""


def upgraded(file: Literal["manifest", "segment", "turn", "evidence"], raw: Raw, schema: int) -> Raw:
    """A manifest, or a line of a file, of an older schema as this version writes it."""
    if isinstance(raw, dict):
        for older in range(schema, SCHEMA):
            raw = getattr(STEPS[older], file)(raw)
    return raw


def _objects(raw: object, *names: str) -> Iterator[Raw]:
    """Every object in the nested lists that the names lead to; damaged values are skipped."""
    name, *rest = names
    if not _is_object(raw):
        return
    for each in found if isinstance(found := raw.get(name), list) else ():
        if _is_object(each):
            yield from _objects(each, *rest) if rest else (each,)


def _is_object(value: object) -> TypeGuard[Raw]:
    return isinstance(value, dict)
