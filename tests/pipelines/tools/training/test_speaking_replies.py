"""Stage 2 from end to end, on untrained models: it trains on what the streaming code computes."""

import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
soundfile = pytest.importorskip("soundfile")
pytest.importorskip("transformers", exc_type=ImportError)
pytest.importorskip("accelerate")

from firstpacket.bench.errors import WeightsError  # noqa: E402
from firstpacket.bench.timing.clock import MonotonicClock  # noqa: E402
from firstpacket.bench.timing.trace import Trace  # noqa: E402
from firstpacket.pipelines.direct.llama_omni.ctc import Collapse  # noqa: E402
from firstpacket.pipelines.models.llama_config import LlamaConfig  # noqa: E402
from firstpacket.pipelines.models.whisper_sizes import WhisperSizes  # noqa: E402
from firstpacket.pipelines.tools.training import data as corpus  # noqa: E402
from firstpacket.pipelines.tools.training import (  # noqa: E402
    folders,
    listening,
    speaking,
    speaking_replies,
    tokenizer,
    units,
    vocoder,
)
from firstpacket.pipelines.tools.training.listening_model import Batch, Example  # noqa: E402
from firstpacket.pipelines.tools.training.llm import write as write_llm  # noqa: E402
from firstpacket.pipelines.tools.training.llm_model import TrainableLlama  # noqa: E402
from firstpacket.pipelines.tools.training.speaking_model import TrainableSpeechDecoder, config_of  # noqa: E402
from firstpacket.pipelines.tools.training.speaking_states import Source  # noqa: E402
from firstpacket.pipelines.tools.training.whisper import TrainableWhisper  # noqa: E402

RATE = 16_000
WHISPER = WhisperSizes(state=16, heads=2, layers=1, decoder_layers=1, positions=100)
LLAMA = LlamaConfig(24, 1, 4, 2, 6, 48, 40, tied=True)
LAYERS = (1, 16, 2, 32)
VOCODER = vocoder.JSON | {
    "embedding_dim": 4,
    "model_in_dim": 4,
    "upsample_initial_channel": 8,
    "upsample_rates": [8, 40],
    "upsample_kernel_sizes": [16, 80],
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1]],
    "dur_predictor_params": {"encoder_embed_dim": 4, "var_pred_hidden_dim": 4, "var_pred_kernel_size": 3},
}
ANSWERS = {"It was low.": 300, "It was high.": 2500}


def tone(hertz):
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(RATE // 2) / RATE)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two questions and their answers: tones, all of them."""
    folder, lines = tmp_path_factory.mktemp("data"), []
    for number in range(8):
        text, (answer, hertz) = ("Low.", "High.")[number % 2], list(ANSWERS.items())[number % 2]
        soundfile.write(folder / f"{number}.flac", tone(hertz), RATE)
        split = "validation" if number > 5 else "train"
        lines.append({"id": f"t{number}", "audio": f"{number}.flac", "text": text, "answers": [answer], "split": split})
    (folder / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    said = [{"text": text, "audio": f"{number}.flac"} for number, text in enumerate(ANSWERS)]
    (folder / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in said))
    return folder


@pytest.fixture(scope="module")
def work(data, tmp_path_factory):
    """All steps; those before the units have learnt nothing."""
    folder = tmp_path_factory.mktemp("work")
    torch.manual_seed(1)
    folders.save(folder / "asr", TrainableWhisper(WHISPER, torch.arange(5), 28).state_dict(), asdict(WHISPER), {})
    words = tokenizer.learnt(["Low.", "High.", *ANSWERS])
    write_llm(folder / "llm", TrainableLlama.fresh(replace(LLAMA, vocab=len(words))), words, {})
    parts = listening.Parts(folder, inner=20)
    listening.write(folder / "listening", parts.fresh()[0], words, parts, {})
    units.run(data, folder, 1, units.UnitSizes(units=4))
    vocoder.run(data, folder, replace(vocoder.SCHEDULE, steps=2, precision="no"), VOCODER, batch=2, piece=8)
    steps = replace(speaking.SCHEDULE, steps=3, precision="no")
    speaking.run(data, folder, steps, LAYERS, batch=2, beginning=2)
    speaking.run(data, folder, steps, LAYERS, batch=2, unpaired=True, beginning=2)
    return folder


@torch.inference_mode()
def test_the_streaming_pipeline_uses_the_trained_decoder(data, work):
    made, _ = speaking_replies.assistant(work, speaking.STEP, 10)
    clip = corpus.clips(data, "validation")[0]
    turn = made.turn(Trace(MonotonicClock()))
    sound = np.concatenate([packet.samples for packet in turn.packets([corpus.sound(clip.path)])])
    listener, words = listening.trained(work)
    (example,) = listening.examples_of([clip], words, listener, work)
    every = listener.extent.embeddings
    example = Example(example.heard, example.question, tuple(turn.ids))
    states = listener.states(Batch.of([example], listener.extent, every, np.random.default_rng(0)))
    decoder = TrainableSpeechDecoder(config_of(work, speaking.STEP, listener.llm.llama.config))
    decoder.load_state_dict(folders.tensors(work, speaking.STEP))
    labels = decoder.batch(states[None])[0].argmax(-1)
    wanted = Collapse(4).push(labels.tolist())
    assert len(turn.ids) > 1
    assert len(wanted) > 0
    assert turn.chunker.units == wanted
    assert len(sound) % 320 == 0
    assert len(sound) >= 320 * len(wanted)


def test_training_continues_from_weights_of_fewer_frames(data, work, tmp_path):
    """Also when it was stopped in between: what was begun is not begun again."""
    for step in ("asr", "llm", "listening", "units", "vocoder", "speaking"):
        shutil.copytree(work / step, tmp_path / step)
    begun = folders.tensors(work / "speaking", "beginning")
    nothing_more = replace(speaking.SCHEDULE, steps=0, precision="no")
    speaking.run(data, tmp_path, nothing_more, LAYERS, batch=2, frames=90)
    kept = folders.tensors(tmp_path, "speaking")
    assert all(torch.equal(kept[name], tensor) for name, tensor in begun.items())
    frames = [
        folders.config(tmp_path, "speaking")["ctc_upsample_factor"],
        folders.config(tmp_path / "speaking", "beginning")["frames"],
    ]
    assert frames[0] == 90 > frames[1]
    went_on = folders.tensors(work, "speaking")
    assert not torch.equal(went_on["output_proj.weight"], begun["output_proj.weight"])


def test_the_unpaired_decoder_is_saved_separately(work):
    paired, unpaired = (folders.tensors(work, step) for step in (speaking.STEP, speaking.UNPAIRED))
    assert not torch.equal(paired["output_proj.weight"], unpaired["output_proj.weight"])
    figures = [json.loads((work / step / "figures.json").read_text()) for step in (speaking.STEP, speaking.UNPAIRED)]
    assert [one["paired"] for one in figures] == [True, False]
    assert all(one["replies"] == 6 and one["validation_loss"] > 0 for one in figures)


def test_a_trained_decoder_is_trained_further_from_a_step_or_a_published_folder(data, work, tmp_path):
    """On the states of any model that listens; the result is a step of its own."""
    heard = []

    def states(clips, where):
        heard.append((len(clips), where))
        return [torch.full((3, LLAMA.hidden), float(len(clip.answer)), dtype=torch.float16) for clip in clips]

    source = Source("listening", states)
    published = tmp_path / "published"
    tensors = {f"speech_generator.{name}": one for name, one in folders.tensors(work, speaking.STEP).items()}
    folders.save(published, tensors, folders.config(work, speaking.STEP), {})
    for start, step in ((work / speaking.STEP, "of-a-step"), (published, "of-a-folder")):
        nothing_more = replace(speaking.TUNING, steps=0, precision="no")
        figures = speaking.tune(data, work, start, nothing_more, 2, source, step)
        kept, begun = folders.tensors(work, step), folders.tensors(work, speaking.STEP)
        assert all(torch.equal(kept[name], tensor) for name, tensor in begun.items())
        assert folders.config(work, step).keys() == folders.config(work, speaking.STEP).keys()
        assert figures["unit_error_rate_at_start"] == figures["unit_error_rate"]
    assert heard == [(6, work), (2, work)] * 2
    figures = speaking.tune(
        data, work, work / speaking.STEP, replace(speaking.TUNING, steps=2, precision="no"), 2, source, "of-a-step"
    )
    assert len(heard) == 4, "states are kept with the step"
    assert figures["validation_loss"] < figures["validation_loss_at_start"]


def test_a_decoder_of_other_units_is_refused(data, work, tmp_path):
    shutil.copytree(work, tmp_path / "work")
    units.run(data, tmp_path / "work", 1, units.UnitSizes(units=3))
    with pytest.raises(WeightsError, match="speaks 4 units, but the step units made 3"):
        speaking.tune(data, tmp_path / "work", work / speaking.STEP, replace(speaking.TUNING, steps=0))


def test_word_error_rates_of_replies_and_of_the_voice(data, work, monkeypatch):
    class Deaf:
        """Hears one word, whatever is said."""

        load = staticmethod(lambda: None)
        transcript = staticmethod(lambda sound, language, what: "it")

    def answered(clips, *_):
        return [speaking_replies.SpokenReply(clip, "It it", np.zeros(RATE, np.float32)) for clip in clips]

    monkeypatch.setattr(speaking_replies, "recogniser_judge", lambda *_: Deaf)
    monkeypatch.setattr(speaking_replies, "replies", answered)
    figures = speaking_replies.judged(data, work)
    assert figures["asr_wer"] == pytest.approx(1 / 2), "one of two words that were written"
    assert figures["asr_wer_of_the_voice"] == pytest.approx(2 / 3), "one of three words of the right answer"
    assert figures["right_texts"] == 0
    assert figures["seconds_of_sound"] == 1
    assert json.loads((work / "speaking" / "replies.json").read_text()) == figures
