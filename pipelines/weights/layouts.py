"""The published layouts, each written into the cache at its first use: engines read these as any other weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from firstpacket.bench.errors import WeightsError
from firstpacket.pipelines.models.cache import cached
from firstpacket.pipelines.weights import llama, llama_omni, store
from firstpacket.pipelines.weights import whisper as whisper_layouts
from firstpacket.pipelines.weights.store import Content, Store

VERSION = 1
"""Changes with whatever is written, so that older folders in the cache are not taken for new ones."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of the store that it is made of, and how it is written into an empty folder."""

    files: tuple[str, ...]
    write: Callable[[Content, Path], None]


LAYOUTS = {
    "transformers-whisper": Layout(whisper_layouts.FILES, whisper_layouts.transformers),
    "openai-whisper": Layout(whisper_layouts.FILES, whisper_layouts.openai),
    "llama": Layout(llama.FILES, llama.llama),
    "llama-omni": Layout(llama_omni.FILES, llama_omni.llama_omni),
    "llama-omni-streaming": Layout(llama_omni.STREAMING_FILES, llama_omni.streaming),
}
CONVERTED = "faster-whisper"
"""CTranslate2's own converter makes it of the first one."""

NAMES = (*LAYOUTS, CONVERTED)


def available(found: Store) -> tuple[str, ...]:
    """The layouts that a store has the parts for."""
    return tuple(name for name in NAMES if name not in LAYOUTS or found.digests.keys() >= set(LAYOUTS[name].files))


@dataclass(frozen=True, slots=True)
class Exported:
    """Weights in a published layout: a folder (or openai's one file), and what reports call them."""

    path: Path
    source: str


def whisper(layout: Literal["openai", "transformers"]) -> Exported:
    """The small Whisper for an engine. Raises `WeightsError`."""
    found = exported(f"{layout}-whisper")
    return replace(found, path=found.path / whisper_layouts.PT) if layout == "openai" else found


def exported(name: str, found: Store | None = None) -> Exported:
    """The demo weights in a layout of `LAYOUTS`, from the cache if they were written before.

    The store's files are checked against their hashes every time. Raises `WeightsError`.
    """
    found = found or store.find()
    layout = LAYOUTS[name]
    content = found.read(layout.files)

    def build(empty: Path) -> None:
        try:
            layout.write(content, empty)
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise WeightsError(
                f"The demo weights in {found.folder} cannot be exported as {name}: {type(error).__name__}: {error}. "
                "Pack them again (bench weights pack), or restore those of the repository."
            ) from error

    return Exported(cached(f"demo-{name}-{VERSION}-{found.key(layout.files)}", build), found.source(layout.files))
