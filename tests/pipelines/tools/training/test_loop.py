import json
import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from firstpacket.bench.errors import UsageError, WeightsError  # noqa: E402
from firstpacket.pipelines.tools.training import loop  # noqa: E402

SCHEDULE = loop.Schedule(steps=12, learning_rate=0.1, warmup=2, validate_every=6, seed=3)


def batch_of(random: np.random.Generator):
    inputs = torch.from_numpy(random.standard_normal((8, 3)).astype(np.float32))
    return inputs, inputs @ torch.tensor([[1.0], [-2.0], [0.5]])


def loss_of(model, batch):
    error = (model(batch[0]) - batch[1]).square().mean()
    return {"loss": error, "root": error.sqrt()}


def trained(folder, schedule=SCHEDULE, frozen=False, stop_at=None):
    torch.manual_seed(schedule.seed)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))
    model[0].requires_grad_(not frozen)

    def stopping(random):
        stopping.calls += 1
        if stopping.calls == stop_at:
            raise KeyboardInterrupt
        return batch_of(random)

    stopping.calls = 0
    figures = loop.train(folder, model, stopping, loss_of, lambda one: {"bias": float(one[1].bias.detach())}, schedule)
    return model.state_dict(), figures


def test_training_lowers_the_loss_and_logs_it(tmp_path):
    _, figures = trained(tmp_path)
    lines = list(loop.read_log(tmp_path))
    assert [line["step"] for line in lines] == [6, 12]
    assert lines[1]["loss"] < lines[0]["loss"] / 2
    assert lines[1]["bias"] == figures["bias"]
    assert lines[0]["root"] ** 2 <= lines[0]["loss"] * (1 + 1e-6), "means of the steps between two lines"


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path):
    whole, _ = trained(tmp_path / "whole", replace(SCHEDULE, keep_every_s=0))
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "stopped", replace(SCHEDULE, keep_every_s=0), stop_at=8)
    resumed, _ = trained(tmp_path / "stopped", replace(SCHEDULE, keep_every_s=0))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    steps = [line["step"] for line in loop.read_log(tmp_path / "stopped")]
    assert steps == [6, 12], "no line twice, none missing"


def test_an_interrupted_save_keeps_the_previous_checkpoint(tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, replace(SCHEDULE, keep_every_s=0), stop_at=6)
    kept = json.loads((tmp_path / loop.CHECKPOINT / "progress.json").read_text())
    (tmp_path / f"{loop.CHECKPOINT}.new").mkdir()
    (tmp_path / f"{loop.CHECKPOINT}.new" / "model.safetensors").write_text("torn")
    assert kept["step"] == 5
    trained(tmp_path, replace(SCHEDULE, keep_every_s=0))


def test_resuming_with_another_plan_is_refused(tmp_path):
    begun = replace(SCHEDULE, keep_every_s=0)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, begun, stop_at=6)
    kept = (tmp_path / loop.CHECKPOINT / "progress.json").read_text()
    with pytest.raises(UsageError, match=rf"steps 12, now 20; seed {begun.seed}, now 7\..*from step 5, or delete"):
        trained(tmp_path, replace(begun, seed=7, steps=20))
    assert (tmp_path / loop.CHECKPOINT / "progress.json").read_text() == kept, "nothing is lost"
    trained(tmp_path, replace(begun, validate_every=5, keep_every_s=60))  # these change nothing that is learnt


@pytest.mark.parametrize("torn", ["", "{", "[]", '{"step": 3}', '{"step": "x", "seconds": 1, "plan": {}}', "[" * 9999])
def test_an_unreadable_progress_file_is_named(tmp_path, torn):
    progress = tmp_path / loop.CHECKPOINT / "progress.json"
    progress.parent.mkdir()
    progress.write_text(torn)
    with pytest.raises(WeightsError, match=r"progress\.json cannot be resumed .* Delete .*checkpoint to start"):
        trained(tmp_path)


def test_frozen_parts_stay_as_they_are(tmp_path):
    torch.manual_seed(SCHEDULE.seed)
    before = torch.nn.Linear(3, 4).weight.detach().clone()
    after, _ = trained(tmp_path, frozen=True)
    assert torch.equal(after["0.weight"], before)


def test_accumulated_batches_equal_one_large_batch(tmp_path):
    once, _ = trained(tmp_path / "once", replace(SCHEDULE, steps=1))
    twice, _ = trained(tmp_path / "twice", replace(SCHEDULE, steps=1, accumulate=2))
    assert any(not torch.equal(once[name], twice[name]) for name in once)
    first = next(loop.read_log(tmp_path / "once"))["loss"]
    random = np.random.default_rng([SCHEDULE.seed, 0, 0])
    random.integers(1 << 62)
    torch.manual_seed(SCHEDULE.seed)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))
    alone = [float(loss_of(model, batch_of(random))["loss"].detach()) for _ in range(2)]
    assert first == pytest.approx(alone[0])
    assert next(loop.read_log(tmp_path / "twice"))["loss"] == pytest.approx(sum(alone) / 2)


def test_the_learning_rate_climbs_then_falls_to_a_tenth():
    rates = [SCHEDULE.rate(step) for step in range(SCHEDULE.steps + 1)]
    assert rates[:2] == [0.5, 1.0] and math.isclose(rates[-1], 0.1)
    assert rates[2:] == sorted(rates[2:], reverse=True)
