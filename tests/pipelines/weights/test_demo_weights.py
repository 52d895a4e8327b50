"""From training steps to the store, to the published layouts, to engines that load them as any other weights."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers", exc_type=ImportError)
pytest.importorskip("whisper", exc_type=ImportError)
pytest.importorskip("faster_whisper", exc_type=ImportError)

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from support import tiny_whisper, training
from tokenizers import Tokenizer

from firstpacket.bench import registry
from firstpacket.bench.errors import UnknownName, UsageError, WeightsError
from firstpacket.bench.pipeline import Settings
from firstpacket.bench.timing.clock import MonotonicClock, VirtualClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.asr.faster_whisper import FasterWhisper
from firstpacket.pipelines.cascade.asr.openai_whisper import OpenAIWhisper
from firstpacket.pipelines.cascade.asr.transformers import TransformersWhisper
from firstpacket.pipelines.cascade.asr.whisper import Whisper
from firstpacket.pipelines.cascade.llm.transformers import TransformersLM
from firstpacket.pipelines.direct import Direct
from firstpacket.pipelines.direct.llama_omni.checkpoint import Checkpoint
from firstpacket.pipelines.direct.llama_omni.files import find
from firstpacket.pipelines.models.cache import CACHE
from firstpacket.pipelines.tools.training.asr import LETTERS
from firstpacket.pipelines.tools.weights import pack
from firstpacket.pipelines.tools.weights.export import export
from firstpacket.pipelines.weights import layouts, llama_omni, store

ENGINES: tuple[type[Whisper], ...] = (FasterWhisper, OpenAIWhisper, TransformersWhisper)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training.made(tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module", autouse=True)
def packed(work: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store made of random values, in the place of the project's own."""
    datasets = tmp_path_factory.mktemp("datasets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(tmp_path_factory.mktemp("cache")))
        patch.setattr(store, "DATASETS", datasets)
        pack.pack(work, datasets / store.NAME)
        yield datasets / store.NAME


@pytest.fixture
def copied(packed: Path, tmp_path: Path) -> Path:
    """A copy of the store that may be damaged."""
    return Path(shutil.copytree(packed, tmp_path / "store"))


def settings(declared: Any, **given: Any) -> Settings:
    names = {name.replace("_", "-"): value for name, value in given.items()}
    return Settings(options=registry.checked_options("test", declared.options, names))


def signed(folder: Path, name: str, content: bytes) -> None:
    """Put other content in a store's file, with the hash that belongs to it."""
    (folder / name).write_bytes(content)
    sums = (folder / store.SUMS).read_text().splitlines()
    kept = [line for line in sums if not line.endswith(f"  {name}")]
    (folder / store.SUMS).write_text("\n".join([*kept, f"{hashlib.sha256(content).hexdigest()}  {name}"]) + "\n")


def test_every_whisper_engine_gives_the_same_transcript() -> None:
    clips = (tiny_whisper.tones(300, 900, 2000), tiny_whisper.tones(1500, 200, 500, 700))
    said = set()
    for engine in ENGINES:
        made = engine(settings(engine.declaration, asr_weights="demo"))
        made.load()
        said.add(tuple(made.transcribe(tiny_whisper.Clip(clip), Trace(VirtualClock())) for clip in clips))
        (weights,) = made.weights()
        assert (weights.origin, weights.source) == ("demo", store.find().source(()))
    ((first, second),) = said
    assert first
    assert first != second, "it listens"


def test_a_model_may_be_called_demo() -> None:
    made = TransformersWhisper(settings(TransformersWhisper.declaration, asr_model="demo"))
    made.load()
    assert made.weights()[0].origin == "demo"


def test_the_language_model_answers_as_its_exported_folder_does() -> None:
    replies, weights = [], []
    for given in ({"llm_weights": "demo"}, {"llm_model": "demo"}, {"llm_model": str(layouts.exported("llama").path)}):
        made = TransformersLM(settings(TransformersLM.declaration, llm_max_tokens=6, **given))
        made.load()
        replies.append("".join(made.reply("how are you", Trace(VirtualClock()))))
        weights.append(made.weights()[0].origin)
    assert len(set(replies)) == 1
    assert weights == ["demo", "demo", "published"]


def test_the_direct_model_answers_as_its_exported_folder_does() -> None:
    answers, origins = [], []
    for weights in ("demo", str(layouts.exported("llama-omni").path)):
        made = Direct(settings(Direct.declaration, weights=weights, max_new_tokens=4, chunk_units="inf"))
        made.load()
        speech = tiny_whisper.Clip(tiny_whisper.tones(300, 900))
        answers.append([packet.samples for packet in made.respond(speech, Trace(MonotonicClock()))])
        origins.append({each.origin for each in made.weights()})
    assert origins == [{"demo"}, {"published"}]
    np.testing.assert_equal(answers[0], answers[1])


def streaming(weights: str) -> Direct:
    """A pipeline that hears speech in blocks."""
    given = settings(
        Direct.declaration, weights=weights, encoder_context="streaming", encoder_block="200", max_new_tokens=4
    )
    made = Direct(given)
    made.load()
    return made


def test_the_streaming_model_answers_as_its_exported_folder_does_and_not_as_the_other_one() -> None:
    speech = tiny_whisper.tones(300, 900)
    sources, replies = [], []
    for weights in ("demo", str(layouts.exported("llama-omni-streaming").path)):
        made, trace = streaming(weights), Trace(MonotonicClock())
        replies.append([packet.samples for packet in made.respond(tiny_whisper.Clip(speech, 320), trace)])
        sources.append({each.source for each in made.weights()})
        assert made.facts()["unused_tensors"] == "none" and "weights_notice" not in made.facts()
    np.testing.assert_equal(replies[0], replies[1])
    assert sources[0] == {layouts.exported("llama-omni-streaming").source}
    assert sources[0] != {layouts.exported("llama-omni").source}, "reports tell the two models apart"


def test_a_streaming_folder_has_the_encoder_without_a_decoder_and_its_ctc_head(work: Path) -> None:
    folder = layouts.exported("llama-omni-streaming").path
    encoder = torch.load(folder / "models" / "speech_encoder" / "whisper.pt", weights_only=True)
    assert {name.split(".")[0] for name in encoder["model_state_dict"]} == {"encoder"}
    head = llama_omni.CTC_HEAD
    with safe_open(folder / head, "pt") as file:
        assert file.metadata()["letters"] == LETTERS
    trained = load_file(work / "streaming-encoder" / "model.safetensors")
    for name, tensor in load_file(folder / head).items():
        torch.testing.assert_close(tensor.float(), trained[f"ctc_head.{name}"], atol=1e-3, rtol=1e-3)
    config = json.loads((folder / "config.json").read_text())
    assert config["speech_encoder_context"] == "streaming"
    assert config["speech_encoder"] == "models/speech_encoder/whisper.pt", "not the teacher's"


def test_one_part_is_packed_into_weights_that_keep_their_others(work: Path, packed: Path, tmp_path: Path) -> None:
    for step in pack.STEPS["streaming"]:
        shutil.copytree(work / step, tmp_path / "work" / step)
    old = shutil.copytree(packed, tmp_path / "store")
    for name in store.FILES["streaming"]:
        (old / name).unlink()
    sums = (old / store.SUMS).read_text().splitlines()
    (old / store.SUMS).write_text("".join(f"{line}\n" for line in sums if "streaming" not in line))
    (old / "README.md").write_text("the model card")
    before = {path.name: path.read_bytes() for path in old.iterdir() if path.is_file() and path.name != store.SUMS}
    assert store.opened(old).source(()) == store.opened(packed).source(()), "the other models keep their name"
    assert pack.pack(tmp_path / "work", old, ["streaming"]).parts == tuple(store.FILES)
    assert {name: (old / name).read_bytes() for name in before} == before
    assert store.opened(old).digests == store.opened(packed).digests
    with pytest.raises(UsageError, match="contains no packed weights"):
        pack.pack(tmp_path / "work", tmp_path / "nothing", ["streaming"])
    with pytest.raises(UnknownName, match="Did you mean 'streaming'"):
        pack.pack(tmp_path / "work", old, ["streamin"])


def test_a_part_trained_with_other_words_is_not_added(work: Path, packed: Path, tmp_path: Path) -> None:
    shutil.copytree(work, tmp_path / "work")
    words = Tokenizer.from_file(str(work / "llm" / "tokenizer.json"))
    words.add_tokens(["xylophone"])
    words.save(str(tmp_path / "work" / "streaming-listening" / "tokenizer.json"))
    with pytest.raises(WeightsError, match="streaming-listening was trained with another tokenizer"):
        pack.pack(tmp_path / "work", tmp_path / "out")


@pytest.fixture
def without_streaming(work: Path, tmp_path: Path) -> Path:
    """Weights of a training that made no streaming model."""
    kept = shutil.ignore_patterns("streaming-*")
    packed = pack.pack(Path(shutil.copytree(work, tmp_path / "work", ignore=kept)), tmp_path / store.NAME)
    assert "streaming" not in packed.parts
    return tmp_path


def test_weights_without_a_streaming_model_say_so(without_streaming: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "DATASETS", without_streaming)
    with pytest.raises(WeightsError, match=r"have no part 'streaming'.*weights=dummy"):
        streaming("demo")
    Direct(settings(Direct.declaration, weights="demo")).load()
    assert "llama-omni-streaming" not in layouts.available(store.find())


def test_what_was_trained_is_what_is_loaded(work: Path) -> None:
    model = Checkpoint(find(str(layouts.exported("llama-omni").path))).load(CPU, torch.float32).model
    parts = {"asr": (model.encoder, "encoder."), "vocoder": (model.vocoder, "")}
    parts |= {"listening": (model.llm, ""), "speaking": (model.speech_decoder, "")}
    for step, (part, prefix) in parts.items():
        trained = load_file(work / step / "model.safetensors")
        for name, tensor in part.state_dict().items():
            torch.testing.assert_close(tensor, trained[prefix + name], atol=1e-3, rtol=1e-3)


def test_the_encoder_is_stored_once_and_rare_words_share_a_row(packed: Path) -> None:
    whisper, direct = (load_file(packed / f"{part}.safetensors") for part in ("whisper", "direct"))
    assert not [name for name in direct if "encoder" in name]
    vocabulary = whisper["decoder.token_embedding.rows"]
    assert len(vocabulary) < 100
    full = load_file(layouts.exported("transformers-whisper").path / "model.safetensors")
    embedding = full["model.decoder.embed_tokens.weight"]
    ids = whisper["decoder.token_embedding.ids"].long()
    assert embedding.shape[0] == tiny_whisper.SIZES.vocab
    torch.testing.assert_close(embedding[ids], vocabulary)
    rare = torch.ones(len(embedding), dtype=torch.bool)
    rare[ids] = False
    assert bool((embedding[rare] == whisper["decoder.token_embedding.other"]).all())


def test_layouts_are_written_once_and_again_when_the_weights_change(packed: Path, copied: Path) -> None:
    first = layouts.exported("llama")
    assert layouts.exported("llama") == first
    tensors = load_file(copied / "llm.safetensors")
    tensors["model.norm.weight"] += 1
    save_file(tensors, copied / "changed")
    signed(copied, "llm.safetensors", (copied / "changed").read_bytes())
    other = layouts.exported("llama", store.opened(copied))
    assert other.path != first.path
    assert other.source != first.source
    direct = layouts.exported("llama-omni", store.opened(copied)).path
    assert direct == layouts.exported("llama-omni").path, "nothing that it is made of has changed"


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "folder"])
def test_a_file_that_is_not_what_was_packed_is_refused_with_a_warm_cache(copied: Path, damage: str) -> None:
    path = copied / "whisper.safetensors"
    layouts.exported("transformers-whisper", store.opened(copied))
    content = path.read_bytes()
    path.unlink()
    if damage == "flip":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "folder":
        path.mkdir()
    with pytest.raises(WeightsError, match=r"whisper\.safetensors .*git checkout -- datasets/weights"):
        layouts.exported("transformers-whisper", store.opened(copied))


@pytest.mark.parametrize(
    "listed",
    ["", "nonsense\n", f"{'0' * 64}  ../../secret\n", f"{'0' * 64}  llm.json\n", "\xff"],
    ids=["empty", "no hash", "a path", "incomplete", "no text"],
)
def test_a_malformed_list_of_hashes_is_refused(copied: Path, listed: str) -> None:
    (copied / store.SUMS).write_text(listed, "latin-1")
    with pytest.raises(WeightsError, match=store.SUMS):
        store.opened(copied)


def test_no_weights_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "DATASETS", tmp_path)
    with pytest.raises(WeightsError, match=r"The demo weights were not found.*--weights dummy"):
        layouts.exported("llama")


class Mischief:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("mischief"),))


def test_a_pickle_in_the_place_of_tensors_is_never_read(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for part, layout in (("vocoder", "llama-omni"), ("llm", "llama"), ("whisper", "openai-whisper")):
        signed(copied, f"{part}.safetensors", pickle.dumps({"generator": Mischief()}))
        with pytest.raises(WeightsError, match=rf"{part}\.safetensors contains no tensors"):
            layouts.exported(layout, store.opened(copied))
    assert not (tmp_path / "mischief").exists()


DIMS = {name: getattr(training.SIZES, name) for name in ("mels", "positions", "state", "heads", "layers")}


def sizes(**changed: int) -> bytes:
    return json.dumps(asdict(training.SIZES) | changed).encode()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (b'{"state": 64}', "has no field 'heads'"),
        (b"[]", "not a JSON object"),
        (sizes(layers=99_999_999), "not the sizes of a Whisper"),
        (sizes(layers=2), "missing, or not part of"),
        (sizes(mels=128), r"encoder\.conv1\.weight has shape"),
    ],
)
def test_sizes_that_are_not_those_of_the_tensors(copied: Path, written: bytes, said: str) -> None:
    signed(copied, "whisper.json", written)
    with pytest.raises(WeightsError, match=said):
        layouts.exported("openai-whisper", store.opened(copied))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"encoder": None}, "has no field 'encoder'"),
        ({"encoder": []}, "should be an object"),
        ({"encoder": {"mels": 80}}, "has no field 'positions'"),
        ({"encoder": DIMS | {"positions": 10**12}}, "not the sizes of a Whisper"),
        ({"encoder": DIMS | {"letters": None}}, "has no field 'letters'"),
    ],
)
def test_a_streaming_encoder_of_other_sizes_is_refused(copied: Path, changed: dict[str, Any], said: str) -> None:
    written = json.loads((copied / "streaming.json").read_text()) | changed
    signed(copied, "streaming.json", json.dumps(written).encode())
    with pytest.raises(WeightsError, match=said):
        layouts.exported("llama-omni-streaming", store.opened(copied))


def test_training_records_are_stored_next_to_the_weights(work: Path, tmp_path: Path) -> None:
    shutil.copytree(work, tmp_path / "work")
    (tmp_path / "work" / "asr" / "log.jsonl").write_text('{"step": 1, "loss": 2.5}\n')
    (tmp_path / "work" / "asr" / "figures.json").write_text('{"wer": 0.5}\n')
    pack.pack(tmp_path / "work", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "training" / "asr.jsonl").read_text())["loss"] == 2.5
    assert json.loads((tmp_path / "out" / "training" / "asr.json").read_text())["wer"] == 0.5
    complete = store.opened(tmp_path / "out")
    assert len(complete.read(complete.digests).files) == 12


def test_missing_training_steps_are_named(work: Path, tmp_path: Path) -> None:
    for step in ("asr", "llm", "vocoder"):
        shutil.copytree(work / step, tmp_path / step)
    with pytest.raises(WeightsError, match=r"lacks listening, speaking\. .*bench train listening --work"):
        pack.pack(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_too_large_for_a_repository_are_refused(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "MOST", 1 << 20)
    with pytest.raises(UsageError, match=r"MiB, more than 1: .*Train smaller ones"):
        pack.pack(work, tmp_path / "out")


def test_values_outside_float16_are_refused(work: Path, tmp_path: Path) -> None:
    shutil.copytree(work, tmp_path, dirs_exist_ok=True)
    state = load_file(tmp_path / "llm" / "model.safetensors")
    state["model.norm.weight"][0] = 1e6
    save_file(state, tmp_path / "llm" / "model.safetensors")
    with pytest.raises(WeightsError, match=r"llm: model\.norm\.weight .*not finite in float16"):
        pack.pack(tmp_path, tmp_path / "out")


def test_export_writes_every_layout_and_nothing_over_others(tmp_path: Path) -> None:
    assert {path.name for path in export("all", tmp_path)} == set(layouts.NAMES)
    assert (tmp_path / "faster-whisper" / "model.bin").is_file()
    assert (tmp_path / "openai-whisper" / "whisper.pt").is_file()
    assert (tmp_path / "llama-omni" / "vocoder" / "g_00500000").is_file()
    with pytest.raises(UsageError, match="already exists"):
        list(export("llama", tmp_path))
    with pytest.raises(UnknownName, match="Did you mean 'llama-omni'"):
        list(export("llama-onmi", tmp_path))
