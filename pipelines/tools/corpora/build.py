"""A recipe to a corpus: synthetic speech whose end is known to the sample."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from firstpacket.bench.corpus.manifest import MANIFEST, ManifestLine, write_manifest
from firstpacket.bench.errors import CorpusError, UsageError
from firstpacket.bench.pipeline import SAMPLE_RATE
from firstpacket.pipelines.tools.corpora.engines import speak
from firstpacket.pipelines.tools.corpora.instruction_data import CLIPS, build_instructions
from firstpacket.pipelines.tools.corpora.instructions import decode_instructions, texts
from firstpacket.pipelines.tools.corpora.postprocess import finish, write_flac
from firstpacket.pipelines.tools.corpora.questions import Split
from firstpacket.pipelines.tools.corpora.recipe import Recipe, Sentence, read_recipe, read_toml


def build(
    recipe: Path,
    out: Path,
    split: Split | None = None,
    limit: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Synthesize a recipe into clips and `out/manifest.jsonl`; returns the number of clips in the manifest.

    A recipe of sentences gives exactly these. One of `[questions]` also gives the responses as speech, and all texts;
    with `split` or `limit` only clips of questions, of that split and at most so many, every topic among them.
    `progress` is told how many of all clips there are.

    The same recipe, with the same synthesisers, gives the same bytes. Raises `CorpusError`, `UnknownName` or
    `MissingDependency`; the manifest is written last, so a build that fails leaves the old one.
    """
    given = read_toml(recipe)
    try:
        if "questions" in given:
            plan = decode_instructions(given, recipe)
            return build_instructions(plan, texts(plan, recipe.parent), out, split, limit, progress)
        return _build_sentences(read_recipe(recipe), out, split, limit)
    except OSError as error:
        raise CorpusError(f"Cannot write to {out} ({error.strerror}). Choose another folder with -o.") from error


def _build_sentences(plan: Recipe, out: Path, split: Split | None, limit: int | None) -> int:
    if split or limit:
        raise UsageError(
            "--split and --limit are for recipes with [questions]; this one has [[sentences]]. Remove them."
        )
    (out / CLIPS).mkdir(parents=True, exist_ok=True)
    write_manifest(out / MANIFEST, [_make(plan, sentence, out) for sentence in plan.sentences])
    return len(plan.sentences)


def _make(plan: Recipe, sentence: Sentence, out: Path) -> ManifestLine:
    voice = plan.voices[sentence.voice]
    clip, start, end = finish(speak(voice, sentence.text), plan.finish, sentence.id)
    audio = out / CLIPS / f"{sentence.id}.flac"
    write_flac(audio, clip)
    return ManifestLine(
        id=sentence.id,
        audio=f"{CLIPS}/{audio.name}",
        text=sentence.text,
        speech_start_ms=_ms(start),
        speech_end_ms=_ms(end),
        speech_end_method=f"known from the synthesis: last sample above {plan.finish.speech_above_db:g} dB of the peak",
        language=plan.language,
        voice=f"{voice.engine} {voice.name}",
        speaker_kind="tts",
        licence=voice.licence,
        sha256=hashlib.sha256(audio.read_bytes()).hexdigest(),
    )


def _ms(samples: int) -> float:
    return samples * 1000 / SAMPLE_RATE
