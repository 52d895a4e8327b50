"""The microphone on virtual time: frames keep their deadlines, and silence sounds as it does in the clip."""

from __future__ import annotations

import numpy as np
import pytest

from firstpacket.bench.pipeline import SAMPLE_RATE, Samples
from firstpacket.bench.run.microphone import FRAME_SAMPLES, LEAD_NS, Microphone, noise_floor
from firstpacket.bench.timing.clock import VirtualClock

MS = 1_000_000
FRAME_NS = 20 * MS


def clip(*parts: tuple[float, float]) -> Samples:
    """Noise of `(seconds, RMS)` one after another."""
    random = np.random.default_rng(3)
    return np.concatenate([rms * random.standard_normal(round(s * SAMPLE_RATE), np.float32) for s, rms in parts])


def silence(rms: float | None, seconds: float = 2.0) -> Samples:
    """What is delivered after speech within so many seconds."""
    clock, heard = VirtualClock(), list[Samples]()
    microphone = Microphone(clock, np.ones(FRAME_SAMPLES, np.float32), heard.append, lambda: None, rms)
    end_ns = microphone.begin() + round(seconds * 1e9)
    playing = clock.spawn(microphone.play, "microphone")
    clock.sleep_until_ns(end_ns + 1)
    microphone.stop()
    clock.join(playing)
    return np.concatenate([np.zeros(0, np.float32), *heard[1:]])


def test_frames_keep_their_deadlines_over_half_a_minute() -> None:
    """Each takes 7 ms to hand over, and one 90 ms: later ones are neither later for it, nor earlier."""
    clock, seconds = VirtualClock(start_ns=12_345), 30
    delivered_ns: list[int] = []

    def hear(_: Samples) -> None:
        delivered_ns.append(clock.now_ns())
        clock.advance((90 if len(delivered_ns) == 100 else 7) * MS)

    microphone = Microphone(clock, np.zeros(seconds * SAMPLE_RATE + 100, np.float32), hear, lambda: None)
    t0_ns = microphone.begin()
    microphone.play()
    start_ns = 12_345 + LEAD_NS
    due_ns = [start_ns + FRAME_NS * (n + 1) for n in range(seconds * 50)] + [t0_ns]
    assert t0_ns == start_ns + seconds * 1000 * MS + 6_250_000
    late_ns = {100: 70 * MS, 101: 57 * MS, 102: 44 * MS, 103: 31 * MS, 104: 18 * MS, 105: 5 * MS, 1500: 750_000}
    assert delivered_ns == [due + late_ns.get(n, 0) for n, due in enumerate(due_ns)]
    delivery = microphone.delivery()
    assert delivery.lateness_ns == tuple(late_ns.get(n, 0) for n in range(len(due_ns)))
    assert delivery.last_frame_ns == delivered_ns[-1]


def test_silence_keeps_the_pace_of_speech() -> None:
    clock, delivered_ns = VirtualClock(), list[int]()
    microphone = Microphone(clock, np.zeros(1_000), lambda _: delivered_ns.append(clock.now_ns()), lambda: None, 0.001)
    t0_ns = microphone.begin()
    playing = clock.spawn(microphone.play, "microphone")
    clock.sleep_until_ns(t0_ns + 30_000 * MS + 1)
    microphone.stop()
    clock.join(playing)
    assert delivered_ns[3:] == [t0_ns + FRAME_NS * n for n in range(1501)]


def test_nothing_follows_speech_unless_a_level_is_given() -> None:
    assert not len(silence(None))


@pytest.mark.parametrize("rms", [0.0003, 0.01])
def test_silence_is_as_loud_as_the_clips_pauses(rms: float) -> None:
    """The pause is a tenth of the clip; the level of single frames varies, so the quietest are below its mean."""
    floor = noise_floor(clip((4.5, 0.1), (0.5, rms)))
    assert 0.9 * rms < floor < rms
    heard = silence(floor, seconds=10)
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(floor, rel=0.01)
    frames = np.sqrt(np.mean(heard.reshape(-1, FRAME_SAMPLES) ** 2, axis=1))
    assert frames.max() < 1.2 * floor
    assert abs(np.corrcoef(heard[:-FRAME_SAMPLES], heard[FRAME_SAMPLES:])[0, 1]) < 0.01  # no frame is repeated


def test_silence_is_the_same_in_every_turn_and_for_every_system() -> None:
    np.testing.assert_array_equal(silence(0.01), silence(0.01))


@pytest.mark.parametrize(
    "samples",
    [
        clip((4.5, 0.1), (0.5, 0.0)),
        clip((4.0, 0.1), (0.4, 0.0), (0.6, 0.01)),
        np.full(16_000, 0.1, np.float32),
        clip((5.0, 0.1)),
        np.zeros(16_000, np.float32),
        np.zeros(100, np.float32),
    ],
    ids=["digital silence", "some digital silence", "no pause", "nothing but noise", "nothing", "less than a frame"],
)
def test_silence_is_digital_where_the_clips_is_or_where_it_has_none(samples: Samples) -> None:
    assert noise_floor(samples) == 0.0
    assert not silence(0.0).any() and len(silence(0.0)) == 2 * SAMPLE_RATE
