"""`bench compare` as a user calls it, on runs made on virtual time."""

import json
from pathlib import Path

import pytest
from support.command import here
from support.virtual import virtual_run

SCRIPTS = {
    "cascade": "hear; asr 200; llm.prefill 50; tts 40; packet 100",
    "streamed": "hear; asr 60; llm.prefill 50; tts 20; packet 100",
    "direct": "hear; encoder 30; llm.prefill 50; packet 100",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return virtual_run(tmp_path_factory.mktemp("compared") / "monday", SCRIPTS, count=8, run="monday")


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scripts = {"cascade": SCRIPTS["cascade"], "direct": SCRIPTS["direct"].replace("30", "90")}
    return virtual_run(tmp_path_factory.mktemp("compared") / "tuesday", scripts, count=8, run="tuesday")


def test_the_answer_comes_first_then_metrics_roles_and_the_ladder(run: Path) -> None:
    done = here("compare", run)
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first.startswith("streamed sends its first packet 160 ms sooner than cascade")
    said = "\n".join(rest)
    for expected in ("final transcript", "by role", "listening", "total", "Step by step", "76 %", "8 pairs"):
        assert expected in said
    assert "recordings" not in said
    assert "recordings" in here("compare", run, "--all").stdout


def test_json_is_complete_and_adds_up(run: Path) -> None:
    said = json.loads(here("compare", run, "--json").stdout)
    assert (said["schema"], said["kind"]) == (2, "firstpacket.comparison")
    streamed, direct = said["findings"]
    names = [(each["metrics"][0]["base"], each["metrics"][0]["other"]) for each in (streamed, direct)]
    assert (*names[0], names[1][1]) == ("cascade", "streamed", "direct")
    headline = direct["metrics"][0]
    assert headline["metric"] == "first_packet_latency"
    assert headline["difference"] == {
        "value": -210.0, "n": 8, "clusters": 8, "interval": {"low": -210.0, "high": -210.0, "level": 0.95}
    }  # fmt: skip
    assert headline["finding"] == "less" and "direct sends its first packet 210 ms sooner" in direct["sentences"][0]
    assert headline["ratio"]["value"] == pytest.approx(80 / 290)
    roles = direct["contributions"]["roles"]
    assert roles["listen"]["value"] == -170
    assert roles["speak"]["value"] == -40
    assert sum(each["value"] for each in roles.values()) == direct["contributions"]["total"]["value"] == -210
    assert [step["difference"]["value"] for step in said["ladder"]["steps"]] == [-160, -50]
    assert said["ladder"]["total"]["value"] == -210
    assert [step["share"] for step in said["ladder"]["steps"]] == pytest.approx([160 / 210, 50 / 210])


def test_labels_and_the_ladder_are_chosen(run: Path) -> None:
    said = json.loads(here("compare", run, "--labels", "direct,streamed", "--json").stdout)
    (only,) = said["findings"]
    headline = only["metrics"][0]
    assert (headline["base"], headline["other"], said["ladder"]) == ("direct", "streamed", None)
    said = json.loads(here("compare", run, "--ladder", "direct,cascade", "--json").stdout)
    assert said["ladder"]["total"]["value"] == 210


def test_two_runs_are_compared_label_by_label_and_widened(run: Path, later: Path) -> None:
    refused = here("compare", run, later)
    assert refused.returncode == 13
    assert "--allow options" in refused.stderr
    assert not refused.stdout
    done = here("compare", run, later, "--allow", "options", "--band", "2%", "--json")
    cascade, direct = (each["metrics"][0] for each in json.loads(done.stdout)["findings"])
    assert (cascade["pairing"], cascade["band"], cascade["allowed_mismatches"]) == ("clip", 0.02, [])
    assert direct["allowed_mismatches"][0].startswith("options: ")
    found = direct["difference"]
    assert (found["value"], found["interval"]["low"], found["interval"]["high"]) == pytest.approx((60, 58.4, 61.6))


def test_different_systems_of_two_runs_are_not_paired(run: Path, later: Path) -> None:
    refused = here("compare", run, later, "--labels", "cascade,direct")
    assert refused.returncode == 13
    assert "cannot be paired" in refused.stderr
    done = here("compare", run, later, "--labels", "cascade,direct", "--allow", "run")
    assert done.stdout.startswith("direct in tuesday sends its first packet 150 ms sooner than cascade in monday")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--labels", "cascade"), "two labels, BASE,OTHER"),
        (("--ladder", "cascade,cascade"), "two different labels"),
        (("--metric", "first_paket_latency"), "Did you mean 'first_packet_latency'"),
        (("--band", "much"), "expected a share"),
        (("--allow", "gpus"), "Did you mean 'gpu'"),
    ],
)
def test_impossible_flags_are_refused(run: Path, words, said) -> None:
    refused = here("compare", run, *words)
    assert refused.returncode == 2
    assert said in refused.stderr


def test_a_ladder_has_no_pairs_across_runs(run: Path, later: Path) -> None:
    assert "one run" in here("compare", run, later, "--ladder", "cascade,direct").stderr
