"""What a server says of itself in its event `info`: programs by service, their models or voices, and their abilities.

Everything but the name is optional and believed only as far as it has the right form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import OptionValue
from firstpacket.pipelines.remote.wyoming.protocol import Event, shown

Service = Literal["asr", "tts", "handle", "intent", "wake", "mic", "snd"]
SERVICES: dict[Service, str] = {
    "asr": "speech to text (asr)",
    "tts": "text to speech (tts)",
    "handle": "an agent (handle)",
    "intent": "intent recognition (intent)",
    "wake": "wake words (wake)",
    "mic": "a microphone (mic)",
    "snd": "a loudspeaker (snd)",
}
MOST_PROGRAMS, MOST_MODELS, MOST_LISTED = 50, 5000, 8
_STREAMS = {"asr": "supports_transcript_streaming", "tts": "supports_synthesize_streaming"}
_STREAMS_REPLY = "supports_handled_streaming"


@dataclass(frozen=True, slots=True)
class Model:
    """A model or voice that a program offers."""

    name: str
    version: str
    languages: tuple[str, ...]
    installed: bool


@dataclass(frozen=True, slots=True)
class Program:
    """A program behind a server, for one service."""

    service: Service
    name: str
    version: str
    models: tuple[Model, ...]
    streams: bool
    """Whether it sends its answer in parts (a recogniser, an agent), or takes its text in parts (a voice)."""
    is_first: bool
    """Whether it is the one that answers unless another is selected."""
    finds_speech_end: bool = False
    """Whether a recogniser has a voice activity detector that ends the utterance."""

    def facts(self, role: str) -> dict[str, OptionValue]:
        """Facts for the manifest."""
        found: dict[str, OptionValue] = {
            f"{role}_server": self.name,
            f"{role}_server_version": self.version,
            f"{role}_service": self.service,
            f"{role}_streams": self.streams,
        }
        if self.service == "asr":
            found["asr_finds_speech_end"] = self.finds_speech_end
        return {name: value for name, value in found.items() if value != ""}


@dataclass(frozen=True, slots=True)
class Info:
    """All programs of a server."""

    programs: tuple[Program, ...]

    def program(self, services: Iterable[Service], model: str, option: str) -> Program:
        """The first one for the first of these services that it has, or the one that has `model`.

        Raises `UsageError`, with what the server has, if there is none; `option` names the model.
        """
        wanted = tuple(services)
        offered = [each for service in wanted for each in self.programs if each.service == service]
        if not offered:
            needed = " or ".join(SERVICES[service] for service in wanted)
            raise UsageError(f"it does not offer {needed}, but {self._offers() or 'nothing'}")
        if not model:
            return offered[0]
        for program in offered:
            for found in program.models:
                if found.name == model and not found.installed:
                    raise UsageError(
                        f"it knows {shown(model)} ({option}), but has not installed it, and would download it during "
                        "a turn. Let the server install it first"
                    )
                if found.name == model:
                    return program
        if not any(program.models for program in offered):
            return offered[0]
        raise UsageError(f"it has no {shown(model)} ({option}). {_listed(offered)}")

    def _offers(self) -> str:
        """For people: what there is, by service."""
        by_service = {
            service: [each.name for each in self.programs if each.service == service][:MOST_LISTED]
            for service in SERVICES
        }
        return ", ".join(
            f"{SERVICES[service]}: {' and '.join(names)}" for service, names in by_service.items() if names
        )


def read_info(event: Event) -> Info:
    """The programs in an event `info`."""
    return Info(tuple(program for service in SERVICES for program in _programs(event, service)))


def _programs(event: Event, service: Service) -> Iterator[Program]:
    for number, said in enumerate(_objects(event.data.get(service), MOST_PROGRAMS)):
        streams = said.get(_STREAMS.get(service, _STREAMS_REPLY))
        needs_detector = said.get("requires_external_vad", True)
        models = said.get("voices" if service == "tts" else "models")
        yield Program(
            service,
            _name(said, "name") or "a program without a name",
            _name(said, "version"),
            tuple(map(_model, _objects(models, MOST_MODELS))),
            streams is True,
            number == 0,
            service == "asr" and needs_detector is False,
        )


def _model(said: dict[str, Any]) -> Model:
    languages = said.get("languages")
    return Model(
        _name(said, "name"),
        _name(said, "version"),
        tuple(shown(each) for each in languages[:100] if isinstance(each, str)) if isinstance(languages, list) else (),
        said.get("installed") is not False,
    )


def _listed(offered: Iterable[Program]) -> str:
    names = [model.name for program in offered for model in program.models if model.installed]
    more = f", and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return f"It has {', '.join(names[:MOST_LISTED])}{more}" if names else "None is installed there"


def _objects(value: object, most: int) -> list[dict[str, Any]]:
    return [each for each in value[:most] if isinstance(each, dict)] if isinstance(value, list) else []


def _name(said: dict[str, Any], field: str) -> str:
    value = said.get(field)
    return shown(value) if isinstance(value, str) else ""
