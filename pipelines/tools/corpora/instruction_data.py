"""A recipe to instruction data: spoken questions, their responses as text and as speech."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from itertools import chain, zip_longest
from pathlib import Path

from firstpacket.bench.corpus.manifest import MANIFEST, ManifestLine, write_manifest
from firstpacket.bench.pipeline import SAMPLE_RATE
from firstpacket.pipelines.tools.corpora.instructions import Instructions
from firstpacket.pipelines.tools.corpora.plan import Take, answer_take, draw_take, draw_takes
from firstpacket.pipelines.tools.corpora.questions import Split, Text
from firstpacket.pipelines.tools.corpora.synthesize import Spoken, speak_all

ANSWERS, CLIPS = "answers", "clips"


Progress = Callable[[int, int], None]


def build_instructions(
    recipe: Instructions,
    texts: Sequence[Text],
    out: Path,
    split: Split | None,
    limit: int | None,
    progress: Progress,
) -> int:
    """Write everything, or with `split` or `limit` a part of the clips alone; returns how many.

    Everything is `clips/`, `answers/`, `answers.jsonl` (`{"text", "audio"}` of each distinct response), `texts.jsonl`
    (`{"question", "response", "split", "topic"}` of all texts) and, last, `manifest.jsonl`. Raises `CorpusError` or
    `OSError`.
    """
    said = draw_takes(recipe, texts)
    if split or limit:
        return _speak_questions(recipe, _part(said, split, limit), out, progress)
    responses = dict.fromkeys(text.response for text in texts)
    total = len(responses) + len(said)
    _speak_answers(recipe, responses, out, lambda done, _: progress(done, total))
    _write_jsonl(out / "texts.jsonl", map(asdict, texts))
    return _speak_questions(recipe, said, out, lambda done, _: progress(len(responses) + done, total))


def _speak_answers(recipe: Instructions, responses: Iterable[str], out: Path, progress: Progress) -> None:
    takes = [answer_take(recipe, f"{number:05d}", said) for number, said in enumerate(responses, start=1)]
    speak_all(takes, out / ANSWERS, progress)
    _write_jsonl(out / "answers.jsonl", ({"text": one.text, "audio": f"{ANSWERS}/{one.id}.flac"} for one in takes))


def _speak_questions(recipe: Instructions, said: dict[str, Text], out: Path, progress: Progress) -> int:
    takes = [draw_take(recipe, name, text) for name, text in said.items()]
    spoken = speak_all(takes, out / CLIPS, progress)
    write_manifest(out / MANIFEST, [_line(recipe, take, said[take.id], spoken[take.id]) for take in takes])
    return len(takes)


def _part(said: dict[str, Text], split: Split | None, limit: int | None) -> dict[str, Text]:
    """The takes of one split, at most `limit`: first one of each topic, then another of each, and so on."""
    by_topic: dict[str, list[str]] = {}
    for name, text in said.items():
        if split in (None, text.split):
            by_topic.setdefault(text.topic, []).append(name)
    in_turn = [name for name in chain.from_iterable(zip_longest(*by_topic.values())) if name]
    return {name: said[name] for name in sorted(in_turn[:limit])}


def _line(recipe: Instructions, take: Take, text: Text, spoken: Spoken) -> ManifestLine:
    shifted = "" if take.resample == 1 else f", played {take.resample:.2f} times as fast"
    return ManifestLine(
        id=take.id,
        audio=f"{CLIPS}/{take.id}.flac",
        text=text.question,
        speech_start_ms=spoken.start * 1000 / SAMPLE_RATE,
        speech_end_ms=spoken.end * 1000 / SAMPLE_RATE,
        speech_end_method=f"known from the synthesis: last sample above {take.speech_above_db:g} dB of the peak",
        language=recipe.language,
        voice=take.voice,
        speaker_kind="tts",
        licence=take.licence,
        sha256=spoken.sha256,
        answers=(text.response,),
        condition=f"white noise at {take.snr_db:.0f} dB SNR{shifted}",
        split=text.split,
    )


def _write_jsonl(path: Path, objects: Iterable[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects), encoding="utf-8")
