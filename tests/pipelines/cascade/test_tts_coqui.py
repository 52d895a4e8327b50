"""Coqui's voices compared with Coqui's own calls, and everything that is refused."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firstpacket.bench.errors import BenchError, MissingDependency, UnknownName, UsageError, WeightsError
from firstpacket.bench.pipeline import Settings
from firstpacket.bench.timing.clock import MonotonicClock, VirtualClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.tts.coqui import Coqui
from firstpacket.pipelines.models.cache import CACHE

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
if importlib.util.find_spec("TTS") is None:
    pytest.skip("coqui-tts is not installed", allow_module_level=True)
from support import coqui_checkpoints as checkpoints  # noqa: E402

SENTENCE = "Start by warming the pan, then add the onions."
SILENCE_AFTER_A_SENTENCE = 10_000
"""Samples that Coqui's Synthesizer adds."""


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Voices `vits`, `choir` (VITS, two speakers), and `xtts`."""
    root = tmp_path_factory.mktemp("voices")
    checkpoints.tiny_vits(root / "vits")
    checkpoints.tiny_vits(root / "choir", speakers=("ann", "bob"))
    checkpoints.tiny_xtts(root / "xtts")
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def nobody_answers(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question on standard input fails the test instead of waiting."""
    monkeypatch.setenv(CACHE, str(cache))
    monkeypatch.setattr(sys, "stdin", None)


@pytest.fixture
def copied(folders: Path, tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copytree(folders / name, tmp_path / name))


def engine(model: Path | str = "", **changed: Any) -> Coqui:
    options = {option.name: option.default for option in Coqui.declaration.options}
    changed = {name.replace("_", "-"): value for name, value in changed.items()}
    made = Coqui(Settings(options={**options, "tts-model": str(model), **changed}))
    made.load()
    return made


def chunks(voice: Coqui, text: str = SENTENCE) -> list[Any]:
    return [samples for samples, _ in voice.speak(text, Trace(VirtualClock()))]


def sound(voice: Coqui, text: str = SENTENCE) -> Any:
    return np.concatenate(chunks(voice, text))


@pytest.fixture(scope="module")
def plain(folders: Path) -> Coqui:
    """The voice `vits`, with each phrase in one piece."""
    return engine(folders / "vits", tts_chunk=0)


class TestVits:
    def test_it_gives_the_same_sound_as_coqui(self, folders: Path, plain: Coqui) -> None:
        with checkpoints.importable():
            from TTS.api import TTS
        folder = folders / "vits"
        own = TTS(
            model_path=str(folder / "model_file.pth"), config_path=str(folder / "config.json"), progress_bar=False
        )
        torch.manual_seed(0)
        expected = np.array(own.tts(SENTENCE, split_sentences=False), np.float32)[:-SILENCE_AFTER_A_SENTENCE]
        assert expected.std() > 0.01
        assert np.abs(sound(plain) - expected).max() < 1e-5

    @pytest.mark.parametrize("chunk", [1, 20])
    def test_pieces_are_the_whole(self, folders: Path, plain: Coqui, chunk: int) -> None:
        whole = sound(plain)
        pieces = chunks(engine(folders / "vits", tts_chunk=chunk))
        assert [len(piece) for piece in pieces[:-1]] == [chunk * 1024] * (len(pieces) - 1)
        assert len(pieces) > 1
        assert np.abs(np.concatenate(pieces) - whole).max() < 1e-5

    def test_the_first_piece_does_not_wait_for_the_vocoder_to_end(self, folders: Path) -> None:
        voice = engine(folders / "vits", tts_chunk=4)
        vocoder = voice._engine._voice.vocoder
        pieces = voice.speak(SENTENCE, Trace(VirtualClock()))
        next(pieces)
        assert vocoder.frames_run <= 4 * 1024 // vocoder.hop + vocoder.context

    def test_a_long_silence_ends_it_as_in_coqui(self, folders: Path) -> None:
        voice = engine(folders / "vits", tts_chunk=4)
        voice._engine._voice._trims = True
        voice._engine._voice._model.ap.find_endpoint = lambda heard: min(len(heard), 5_000)
        assert len(sound(voice)) == 5_000

    def test_a_turn_leaves_no_trace_in_the_next(self, plain: Coqui) -> None:
        first = sound(plain)
        torch.rand(3)
        before = torch.get_rng_state()
        assert np.array_equal(sound(plain), first)
        assert torch.equal(torch.get_rng_state(), before)

    def test_two_concurrent_phrases_do_not_mix(self, folders: Path) -> None:
        voice = engine(folders / "vits", tts_chunk=2)
        one, two = (voice.speak(text, Trace(VirtualClock())) for text in (SENTENCE, "Hello, my friend."))
        mixed = [next(one)[0], next(two)[0], *(samples for samples, _ in one)]
        assert np.array_equal(np.concatenate([mixed[0], *mixed[2:]]), sound(voice))

    @pytest.mark.parametrize("text", ["", " … !", "你好"])
    def test_what_has_no_sound_gives_no_packet(self, plain: Coqui, text: str) -> None:
        assert chunks(plain, text) == []

    def test_speakers(self, folders: Path) -> None:
        choir = folders / "choir"
        ann, bob = (sound(engine(choir, tts_speaker=name)) for name in ("ann", "bob"))
        assert len(ann) != len(bob) or not np.allclose(ann, bob)
        with pytest.raises(UsageError, match=r"has 2 speakers\. Choose one with tts-speaker: ann, bob"):
            engine(choir)
        with pytest.raises(UnknownName, match=r"'anne'\. Did you mean 'ann'"):
            engine(choir, tts_speaker="anne")
        with pytest.raises(UsageError, match="no choice of speakers"):
            engine(folders / "vits", tts_speaker="ann")


XTTS_CHUNK = 4


@pytest.fixture(scope="module")
def ana(folders: Path) -> Coqui:
    return engine(folders / "xtts", tts_chunk=XTTS_CHUNK)


@pytest.fixture(scope="module")
def streamed(ana: Coqui) -> list[tuple[Any, int]]:
    """Chunks of the sentence by XTTS, each with the number of frames that the vocoder was run over for it."""
    vocoder, heard = ana._engine._voice.vocoder, []
    for samples, _ in ana.speak(SENTENCE, Trace(VirtualClock())):
        heard.append((samples, vocoder.frames_run))
        vocoder.frames_run = 0
    return heard


class TestXtts:
    def test_it_streams_what_coqui_streams(self, ana: Coqui, streamed: list[tuple[Any, int]]) -> None:
        model, config = ana._engine._voice._model, ana._engine._voice._model.config
        speaker = model.speaker_manager.speakers["Ana"]
        sampling = ("temperature", "length_penalty", "repetition_penalty", "top_k", "top_p")
        torch.manual_seed(0)
        stream = model.inference_stream(
            SENTENCE,
            "en",
            speaker["gpt_cond_latent"],
            speaker["speaker_embedding"],
            stream_chunk_size=XTTS_CHUNK,
            **{name: config[name] for name in sampling},
        )
        expected = [samples.numpy() for samples in stream]
        assert len(expected) > 4
        assert np.concatenate(expected).std() > 0.01
        assert [len(samples) for samples, _ in streamed] == [len(samples) for samples in expected]
        ours = np.concatenate([samples for samples, _ in streamed])
        assert np.abs(ours - np.concatenate(expected)).max() < 1e-5

    def test_every_chunk_costs_the_vocoder_the_same(self, ana: Coqui, streamed: list[tuple[Any, int]]) -> None:
        frames = XTTS_CHUNK * 1024 / 256 * 24_000 / 22_050
        overlap = 1024 // 256
        assert max(run for _, run in streamed) <= frames + 1 + overlap + ana._engine._voice.vocoder.context

    def test_the_same_text_sounds_the_same_after_an_early_end(
        self, ana: Coqui, streamed: list[tuple[Any, int]]
    ) -> None:
        torch.rand(3)
        said: Any = ana.speak(SENTENCE, Trace(VirtualClock()))
        heard = [next(said)[0], next(said)[0]]
        said.close()
        again: Any = ana.speak(SENTENCE, Trace(VirtualClock()))
        heard.append(next(again)[0])
        again.close()
        for samples, at in zip(heard, (0, 1, 0), strict=True):
            assert np.array_equal(samples, streamed[at][0])

    def test_a_long_text_is_synthesised_sentence_by_sentence(self, ana: Coqui) -> None:
        limit = ana._engine._voice._model.tokenizer.char_limits["en"]
        parts = ana._engine._voice._sentences(SENTENCE * 20 + " " + "word " * 100)
        assert len(parts) > 3
        assert max(map(len, parts)) <= limit
        assert ana._engine._voice._sentences(SENTENCE) == [SENTENCE]

    def test_a_checkpoint_with_settings_as_objects_is_read_and_left_alone(
        self, streamed: list[tuple[Any, int]], tmp_path: Path
    ) -> None:
        older = checkpoints.tiny_xtts(tmp_path / "xtts", objects=True)
        before = (older / "model.pth").stat()
        said: Any = engine(older, tts_chunk=XTTS_CHUNK).speak(SENTENCE, Trace(VirtualClock()))
        assert np.array_equal(next(said)[0], streamed[0][0])
        said.close()
        assert (older / "model.pth").stat().st_mtime_ns == before.st_mtime_ns

    @pytest.mark.parametrize("language", ["fr-fr", "xx"])
    def test_a_language_it_does_not_speak(self, folders: Path, language: str) -> None:
        with pytest.raises(UnknownName, match="language of this voice"):
            engine(folders / "xtts", tts_language=language)

    @pytest.mark.parametrize("missing", ["vocab.json", "speakers_xtts.pth"])
    def test_a_file_is_missing(self, copied: Callable[[str], Path], missing: str) -> None:
        folder = copied("xtts")
        (folder / missing).unlink()
        with pytest.raises(WeightsError, match=f"needs {missing}"):
            engine(folder)


@pytest.fixture(scope="class")
def dummy(cache: Path) -> Iterator[Coqui]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(cache))
        yield engine()


class TestDummy:
    def test_work_and_level_are_fixed(self, dummy: Coqui) -> None:
        voice, heard = dummy, sound(dummy)
        signs = 2 * len(SENTENCE) + 1
        assert len(heard) == signs * 3 * 256
        assert len(sound(voice, SENTENCE[::-1])) == len(heard)
        level = 20 * np.log10(np.sqrt(np.mean(heard**2)))
        assert -22 < level < -18
        assert abs(heard.mean()) < 0.1 * heard.std()

    def test_its_origin_is_dummy_and_its_files_are_in_coqui_format(self, cache: Path) -> None:
        voice = engine(tts_size="small")
        (weights,) = voice.weights()
        assert (weights.origin, weights.source) == ("dummy", "seed 0, size small")
        assert "3 frames" in str(voice.facts()["tts_work"])
        (made,) = cache.glob("coqui-*-vits-small-seed0-*")
        assert np.array_equal(sound(engine(made)), sound(voice))

    def test_other_weights_are_not_touched(self, plain: Coqui) -> None:
        assert "tts_work" not in plain.facts()
        assert len(sound(plain)) != (2 * len(SENTENCE) + 1) * 3 * 256

    def test_seeds_differ(self, dummy: Coqui) -> None:
        options = {option.name: option.default for option in Coqui.declaration.options}
        other = Coqui(Settings(seed=7, options=options))
        other.load()
        assert not np.allclose(sound(other), sound(dummy))


class _Runs:
    """Unpickled freely, it would write a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._path),)


class TestRefusals:
    @pytest.mark.parametrize(("kind", "file"), [("vits", "model_file.pth"), ("xtts", "model.pth")])
    def test_code_in_the_weights_does_not_run(
        self, copied: Callable[[str], Path], tmp_path: Path, kind: str, file: str
    ) -> None:
        folder, ran = copied(kind), tmp_path / "ran"
        torch.save({"model": {"x": _Runs(ran)}}, folder / file)
        with pytest.raises(WeightsError, match="it was not read, since unpickling it could run code"):
            engine(folder)
        assert not ran.exists()

    def test_code_in_the_speakers_does_not_run(self, copied: Callable[[str], Path], tmp_path: Path) -> None:
        folder, ran = copied("xtts"), tmp_path / "ran"
        torch.save({"Ana": _Runs(ran)}, folder / "speakers_xtts.pth")
        with pytest.raises(WeightsError, match="could run code"):
            engine(folder)
        assert not ran.exists()

    def test_code_in_the_statistics_does_not_run(self, copied: Callable[[str], Path], tmp_path: Path) -> None:
        folder, ran = copied("vits"), tmp_path / "ran"
        np.save(folder / "scale_stats.npy", np.array(_Runs(ran)), allow_pickle=True)
        _change(folder, audio={"stats_path": str(folder / "scale_stats.npy"), "signal_norm": True})
        engine(folder)
        assert not ran.exists()

    def test_a_foreign_class_is_not_made(self, copied: Callable[[str], Path]) -> None:
        folder = copied("vits")
        _change(folder, characters={"characters_class": "antigravity.Characters"})
        with pytest.raises(WeightsError, match=r"asks for the class 'antigravity\.Characters'"):
            engine(folder)
        assert "antigravity" not in sys.modules

    def test_files_elsewhere_are_not_read(self, copied: Callable[[str], Path], tmp_path: Path) -> None:
        folder = copied("choir")
        (tmp_path / "speakers.json").write_text('{"mallory": 0, "eve": 1}')
        _change(folder, speakers=[], model_args={"speakers_file": str(tmp_path / "speakers.json")})
        with pytest.raises(WeightsError, match="cannot be loaded as a VITS voice"):
            engine(folder, tts_speaker="eve")
        (folder / "speakers.json").write_text('{"ann": 0, "bob": 1}')
        engine(folder, tts_speaker="bob")

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ({"model": "tacotron2"}, "a Coqui model of the kind 'tacotron2'"),
            ({"model_type": "whisper", "architectures": ["X"]}, "a model for transformers \\(model_type 'whisper'\\)"),
            ({"a": 1}, "no field 'model'"),
            ([1], "is not a JSON object"),
        ],
    )
    def test_a_folder_of_another_kind_is_named(self, tmp_path: Path, content: Any, said: str) -> None:
        (tmp_path / "config.json").write_text(json.dumps(content))
        with pytest.raises(WeightsError, match=said):
            engine(tmp_path)

    def test_a_folder_without_a_configuration_is_described(self, tmp_path: Path) -> None:
        (tmp_path / "tiny.en.pt").touch()
        with pytest.raises(WeightsError, match=r"no config\.json.*it holds tiny\.en\.pt"):
            engine(tmp_path)

    def test_a_folder_without_weights(self, copied: Callable[[str], Path]) -> None:
        folder = copied("vits")
        (folder / "model_file.pth").unlink()
        with pytest.raises(WeightsError, match=r"must hold the model's tensors.*there are none"):
            engine(folder)

    def test_weights_of_another_shape(self, copied: Callable[[str], Path]) -> None:
        folder = copied("vits")
        _change(folder, model_args={"hidden_channels": 48})
        with pytest.raises(WeightsError, match=r"Check that config\.json and model_file\.pth belong together"):
            engine(folder)

    @pytest.mark.parametrize("cut", [0, 1000])
    def test_damaged_weights(self, copied: Callable[[str], Path], cut: int) -> None:
        folder = copied("vits")
        whole = (folder / "model_file.pth").read_bytes()
        (folder / "model_file.pth").write_bytes(whole[:cut])
        with pytest.raises(WeightsError, match=str(folder)):
            engine(folder)

    def test_a_missing_phonemizer_names_the_command(
        self, copied: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = copied("vits")
        _change(folder, use_phonemes=True, phonemizer="espeak", phoneme_language="en-us")
        monkeypatch.setenv("PATH", "")
        with pytest.raises(MissingDependency, match="apt-get install espeak-ng"):
            engine(folder)

    def test_a_phonemizer_of_an_extra_names_the_command(self, copied: Callable[[str], Path]) -> None:
        if importlib.util.find_spec("pypinyin"):
            pytest.skip("the phonemizer is installed")
        folder = copied("vits")
        _change(folder, use_phonemes=True, phonemizer="zh_cn_phonemizer", phoneme_language="zh-cn")
        with pytest.raises(MissingDependency, match=r"pip install coqui-tts\[zh\]"):
            engine(folder)


class TestPublishedNames:
    @pytest.fixture(autouse=True)
    def empty_home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("TTS_HOME", str(tmp_path))
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.delenv("COQUI_TOS_AGREED", raising=False)
        return

    def test_a_published_voice_that_was_downloaded_is_used(self, folders: Path, tmp_path: Path) -> None:
        shutil.copytree(folders / "vits", tmp_path / "tts" / "tts_models--en--ljspeech--vits")
        voice = engine("tts_models/en/ljspeech/vits")
        assert voice.weights()[0].source == "tts_models/en/ljspeech/vits"

    def test_a_published_voice_that_is_missing_names_the_command(self) -> None:
        with pytest.raises(WeightsError, match=r"nothing is downloaded during a run.*curl -LO https://.*vits\.zip"):
            engine("tts_models/en/ljspeech/vits")

    def test_a_name_that_was_never_published(self) -> None:
        with pytest.raises(UnknownName, match="Did you mean 'tts_models/en/ljspeech/vits'"):
            engine("tts_models/en/ljspeech/vitz")

    @pytest.mark.parametrize("name", ["no/such/folder", "vits"])
    def test_neither_folder_nor_name(self, name: str) -> None:
        with pytest.raises(WeightsError, match="neither a folder nor one of Coqui's published names"):
            engine(name)

    def test_it_never_prompts_for_a_licence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        name = "tts_models/multilingual/multi-dataset/xtts_v2"
        with pytest.raises(UsageError, match="tts-accept-licence=true, or COQUI_TOS_AGREED=1"):
            engine(name)
        for accepted in (lambda: engine(name, tts_accept_licence=True), lambda: engine(name)):
            with pytest.raises(WeightsError, match="hf download tts-hub/XTTS-v2"):
                accepted()
            monkeypatch.setenv("COQUI_TOS_AGREED", "1")


def test_a_voice_process_sounds_the_same_despite_a_broken_torchaudio(
    folders: Path, ana: Coqui, streamed: list[tuple[Any, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """May take over 10 s, since a process imports all of Coqui anew, as a user's does."""
    (tmp_path / "torchaudio").mkdir()
    (tmp_path / "torchaudio" / "__init__.py").write_text("raise OSError('libc10_cuda.so: no such file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    voice = engine(folders / "xtts", tts_chunk=XTTS_CHUNK, tts_process="own")
    try:
        said: Any = voice.speak(SENTENCE, Trace(MonotonicClock()))
        for samples, _ in streamed[:2]:
            np.testing.assert_allclose(next(said)[0], samples, atol=1e-5)  # threads may add up in another order
        said.close()
        assert voice.facts() == {**ana.facts(), "tts_process": "own", "tts_python": sys.executable}
        assert voice.weights() == ana.weights()
    finally:
        voice.close()


@pytest.mark.parametrize(("block", "dilations"), [("1", [[1, 3, 5]] * 3), ("2", [[1, 3]] * 3)])
def test_the_context_covers_the_receptive_field_of_a_frame(block: str, dilations: list[list[int]]) -> None:
    from firstpacket.pipelines.cascade.tts.coqui.vocoding import Vocoder

    generator = checkpoints.HifiganGenerator(
        2, 1, block, dilations, [3, 7, 11], [16, 16, 4, 4], 16, [8, 8, 2, 2], inference_padding=0
    ).double()
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.abs_()
    before_tanh: list[Any] = []
    generator.conv_post.register_forward_hook(lambda _, __, output: before_tanh.append(output[0, 0]))
    vocoder = Vocoder(generator)
    frames = torch.zeros(1, 2, 80, dtype=torch.float64)

    def sound_of_one(louder: int) -> Any:
        given = frames.clone()
        given[:, :, louder] = 1e9
        generator(given)
        return before_tanh.pop()[40 * vocoder.hop : 41 * vocoder.hop]

    with torch.inference_mode():
        quiet = sound_of_one(0)

        def heard(frame: int) -> bool:
            return not torch.equal(sound_of_one(frame), quiet)

        assert not heard(40 - vocoder.context - 1)
        assert not heard(40 + vocoder.context + 1)
        assert heard(40 - vocoder.context + 1)


def test_stand_in_modules_are_removed_once_coqui_is_imported(ana: Coqui) -> None:
    assert ana.facts()["tts_torchaudio"] in ("installed", "stand-in")
    if ana.facts()["tts_torchaudio"] == "stand-in":
        assert not {"torchaudio", "torchcodec"} & set(sys.modules)


def test_the_stand_in_filters_are_htks() -> None:
    """As transformers makes them, which stands by itself (librosa compiles itself for ten seconds first)."""
    theirs = pytest.importorskip("transformers.audio_utils")
    from firstpacket.pipelines.cascade.tts.coqui.stand_ins import MelSpectrogram

    made = MelSpectrogram(16_000, 512, 400, 160, torch.hamming_window, 64)
    filters = theirs.mel_filter_bank(257, 64, 0.0, 8000.0, 16_000, norm=None, mel_scale="htk")
    assert np.abs(made.mel_scale.fb.numpy() - filters).max() < 1e-4
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16_000) / 16_000)[None]
    window = theirs.window_function(400, "hamming", frame_length=512)
    power = theirs.spectrogram(tone[0].numpy(), window, 512, 160, power=2.0, mel_filters=filters, mel_floor=0.0)
    mels = made(tone)[0].numpy()
    assert mels.shape == power.shape
    np.testing.assert_allclose(mels[:, 10:-10], power[:, 10:-10], rtol=1e-3, atol=1e-3 * power.max())


def test_settings_out_of_range() -> None:
    with pytest.raises(UsageError, match="tts-chunk is -1"):
        engine(tts_chunk=-1)
    with pytest.raises(UsageError, match="tts-weights=published needs a voice"):
        engine(tts_weights="published")


def test_errors_are_for_people(tmp_path: Path) -> None:
    with pytest.raises(BenchError):
        engine(tmp_path)


def _change(folder: Path, **changed: Any) -> None:
    """Change fields of a configuration; those of parts are merged."""
    path = folder / "config.json"
    content = json.loads(path.read_text("utf-8"))
    for field, value in changed.items():
        content[field] = {**(content[field] or {}), **value} if isinstance(value, dict) else value
    path.write_text(json.dumps(content), "utf-8")
