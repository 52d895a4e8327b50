"""A run's quality by label: pooled, with what is missing named; and how it is shown."""

from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from support.html import read_back
from support.quality_runs import JUDGE, NOISE, SILENCE, SPEECH, demo_clips, known_run, reply_of, write_lines

from firstpacket.bench.analysis.quality import quality_notices
from firstpacket.bench.contract import as_json
from firstpacket.bench.export.markdown import markdown
from firstpacket.bench.quality.record import SCHEMA, HeardClip, HeardReply, ReplySound, ScoredReply
from firstpacket.bench.quality.sound import Sound
from firstpacket.bench.quality.wer import VERSION, errors
from firstpacket.bench.recompute import recompute
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.report.html import render_report
from firstpacket.bench.report.quality import quality_table
from firstpacket.bench.summary.contents import LabelSummary
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.tables.terminal import TerminalTable

CLIPS = demo_clips(8)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return known_run(tmp_path_factory.mktemp("quality") / "run", CLIPS, {"good": SPEECH, "noise": NOISE})


@pytest.fixture(scope="module")
def listened(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Somebody understood every reply of `good` but for one word, and nothing of `noise`."""
    path = Path(shutil.copytree(original, tmp_path_factory.mktemp("listened") / "run"))
    run = read_run(path)
    texts = {clip.id: clip.text or "" for clip in CLIPS}
    for turn in run.turns:
        said = texts[turn.utterance]
        got = said.replace("alarm", "farm") if turn.label == "good" else ""
        clipped = 0.0 if turn.label == "good" else 0.02
        write_lines(
            path,
            HeardReply(SCHEMA, "reply", reply_of(turn), JUDGE, got, *errors(said, got), VERSION),
            ReplySound(SCHEMA, "sound", reply_of(turn), Sound(16_000, 9, clipped, -0.01, 0.5), 1),
            ScoredReply(SCHEMA, "score", reply_of(turn), replace(JUDGE, name="opinion"), 4.0, 1.0, 5.0),
        )
    write_lines(path, *(
        HeardClip(SCHEMA, "clip", clip.id, clip.sha256, JUDGE, "", 1, 10, VERSION) for clip in CLIPS
    ))  # fmt: skip
    return run


def labels(run: Run) -> dict[str, LabelSummary]:
    return {label.label: label for label in summarise(run).labels}


def shown(run: Run) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(TerminalTable(quality_table(summarise(run))))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_transcripts_are_compared_without_any_command(tmp_path: Path) -> None:
    """One word too many in every turn: all edits over all words, not a mean of shares."""
    run = read_run(known_run(tmp_path / "run", CLIPS, transcript="{} indeed"))
    words = sum(len((clip.text or "").split()) for clip in CLIPS)
    found = labels(run)["good"].quality.transcript
    assert found.rate is not None and found.rate.interval is not None
    assert (found.words, found.rate.value) == (words, len(CLIPS) / words)
    assert found.rate.interval.contains(len(CLIPS) / words)
    shares = [turn.figures["transcript_wer"] for turn in run.turns if turn.label == "good"]
    assert found.rate.value != pytest.approx(sum(shares) / len(shares))
    assert recompute(run).equal


def test_a_turn_without_an_answer_counts_too(tmp_path: Path) -> None:
    """Where nothing was heard nothing is said: that turn is all errors, and must not vanish."""
    run = read_run(known_run(tmp_path / "run", CLIPS[:2], {"mute": SILENCE}, transcript=""))
    mute = labels(run)["mute"]
    assert mute.measured == mute.outcomes["measured"]["silent"] == 2
    assert mute.quality.transcript.rate is not None and mute.quality.transcript.rate.value == 1.0


def test_a_missing_transcript_has_a_reason(tmp_path: Path) -> None:
    deaf = read_run(known_run(tmp_path / "deaf", CLIPS[:2], transcript=None))
    assert labels(deaf)["good"].quality.transcript.reason == "the pipeline gives no transcript"
    mute = read_run(known_run(tmp_path / "mute", tuple(replace(clip, text=None) for clip in CLIPS[:2])))
    assert labels(mute)["good"].quality.transcript.reason == "the corpus has no texts"
    segment = mute.segments[0]
    known = {name: version for name, version in segment.metrics.items() if name != "transcript_wer"}
    old = replace(deaf, segments=(replace(segment, metrics=known),))
    assert "predates the comparison of transcripts" in labels(old)["good"].quality.transcript.reason


def test_answers_are_correct_if_accepted_by_the_corpus_and_audible(tmp_path: Path) -> None:
    """Every reply repeats the question; five clips of eight accept that; a mute label gives no audio."""
    clips = tuple(
        replace(clip, answers=("No.", (clip.text or "").upper()) if place < 5 else ("No.",))
        for place, clip in enumerate(CLIPS)
    )
    run = read_run(known_run(tmp_path / "run", clips, {"good": SPEECH, "mute": SILENCE}))
    good, mute = (label.quality.answers.share for label in labels(run).values())
    assert good is not None and (good.value, good.n) == (5 / 8, 8)
    assert good.interval.contains(5 / 8) and good.interval.low > 0.2 and good.interval.high < 0.95
    assert mute is not None and mute.value == 0.0
    assert recompute(run).equal
    assert re.search(r"good .* 62\.5 % ", shown(run))
    told = as_json(summarise(run))["labels"]["good"]["quality"]["answers"]
    right = told["share"]
    assert right["value"] == 5 / 8 and right["clusters"] == right["n"] == 8 and told["reason"] == ""
    assert told["rules"] == ["equals"]


def test_the_rule_is_named_next_to_the_figure_in_every_format(tmp_path: Path) -> None:
    """Every reply repeats the question with four words around it."""
    clips = tuple(
        replace(clip, answers=(clip.text or "",), answer_rule="contains" if place else "none")
        for place, clip in enumerate(CLIPS)
    )
    run = read_run(known_run(tmp_path / "run", clips, says="You asked: {} Well."))
    told = as_json(summarise(run))["labels"]["good"]["quality"]["answers"]
    assert (told["share"]["value"], told["share"]["n"], told["rules"]) == (1.0, 7, ["contains"])
    median = sorted(len((clip.text or "").split()) + 3 for clip in CLIPS[1:])[3]
    assert told["reply_words"]["value"] == median
    named = (
        "correct answers: share of replies judged right by rule `contains`: "
        "the reply contains the words of a reference answer"
    )
    printed = " ".join(shown(run).split())
    assert "(contains)" in printed, "in the heading"
    assert named in printed and f"Words per reply (median): good {median}" in printed
    assert "not the score that the data set's authors define" in printed
    assert named in markdown(run).replace("\\", "")
    assert recompute(run).equal


def test_a_corpus_whose_answers_are_not_judged_says_so(tmp_path: Path) -> None:
    clips = tuple(replace(clip, answers=("Yes.",), answer_rule="none") for clip in CLIPS[:2])
    run = read_run(known_run(tmp_path / "run", clips))
    assert labels(run)["good"].quality.answers.reason == "the corpus says that its answers are not judged"


def test_without_right_answers_the_reason_is_stated(original: Path, tmp_path: Path) -> None:
    assert "correct answers of good, noise: n/a, the corpus has no accepted answers" in shown(read_run(original))
    run = read_run(known_run(tmp_path / "run", tuple(replace(clip, answers=("Yes.",)) for clip in CLIPS[:2])))
    for turn in run.turns:
        turn.figures.pop("answer_accuracy")
    assert labels(run)["good"].quality.answers.reason == "the pipeline gives no reply text"


def test_edited_texts_of_the_corpus_are_found_by_recompute(original: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(original, tmp_path / "run"))
    manifest = (path / "manifest.json").read_text()
    (path / "manifest.json").write_text(manifest.replace("What time is it?", "What thyme is it?"))
    found = recompute(read_run(path))
    assert {each.figure for each in found.differences} == {"transcript_wer"}


def test_unintelligible_replies_give_a_notice(listened: Run) -> None:
    good, noise = labels(listened).values()
    assert good.quality.reply.rate is not None and noise.quality.reply.rate is not None
    assert noise.quality.reply.rate.value == 1.0
    assert good.quality.reply.rate.value == 1 / good.quality.reply.words
    assert not list(quality_notices(good))
    unheard, clipped = quality_notices(noise)
    assert "noise is unintelligible to ears 1 (ears en), whose own WER on the corpus' clips is 0.100" in unheard
    assert f"0 words recognised of {noise.quality.reply.words}" in unheard
    assert "clipped: 2.0 %" in clipped
    table = shown(listened)
    assert re.search(r"good +100 ms.* 0\.000 .*0\.0\d\d", table)
    assert re.search(r"noise +100 ms.* 1\.000 .*2\.0 %", table)
    assert "reply WER measured with ears 1 (ears en)" in table


def test_a_recogniser_that_mishears_known_clips_is_no_judge(original: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(original, tmp_path / "run"))
    for turn in read_run(path).turns:
        write_lines(path, HeardReply(SCHEMA, "reply", reply_of(turn), JUDGE, "what", 3, 4, VERSION))
    for clip in CLIPS:
        write_lines(path, HeardClip(SCHEMA, "clip", clip.id, clip.sha256, JUDGE, "what", 6, 10, VERSION))
    (notice,) = quality_notices(labels(read_run(path))["good"])
    assert "ears 1 (ears en) cannot judge whether the replies of good are intelligible: reply WER 0.750" in notice
    assert "its own WER on the corpus' clips is already 0.600" in notice


def test_the_first_screen_of_the_report_shows_quality(listened: Run) -> None:
    first, _, rest = render_report([listened]).partition("</header>")
    assert "noise is unintelligible to ears" in first
    assert "Latency and quality" in rest
    row = re.search(r'<tr><th scope="row">noise</th>.*?</tr>', rest)
    assert row is not None and re.search(r'bad"><data [^>]*reply/rate/value">1.000<', row[0])
    assert "good cannot" not in first


def test_every_quality_figure_of_the_report_is_in_its_json(listened: Run) -> None:
    text = read_back(listened)
    noise = "/summary/labels/noise/quality"
    assert text[f"{noise}/reply/rate/value"] == text[f"{noise}/reply/rate/interval/high"] == "1.000"
    assert text[f"{noise}/audio/clipped_share/value"] == "2.0 %"
    assert text[f"{noise}/scores/0/mean/value"] == "4.000"
    assert text[f"{noise}/figures/reply_silence/value"] == "0 %"
    assert float(text[f"{noise}/pace/median/value"]) > 0
    said = sum(len((clip.text or "").split()) for clip in CLIPS)
    assert text["/summary/labels/good/quality/reply/rate/value"] == f"{1 / said:.3f}", "one word was misheard"


def test_every_column_of_quality_has_the_figure_that_its_heading_names(listened: Run) -> None:
    row = re.search(r'<tr><th scope="row">noise</th>(?=<td[^>]*><data[^>]*p50)(.*?)</tr>', section(listened))
    assert row is not None
    cells = [re.findall(r'data-figure="/summary/labels/noise/([^"]*)"', cell) for cell in row[1].split("<td")[1:]]
    assert [cell[0] if cell else "" for cell in cells] == [
        "figures/first_packet_latency/p50/value",
        "figures/response_latency/p50/value",
        "quality/transcript/rate/value",
        "quality/reply/rate/value",
        "quality/pace/median/value",
        "quality/figures/reply_silence/value",
        "quality/audible_end",
        "quality/audio/clipped_share/value",
        "quality/scores/0/mean/value",
    ]


def section(run: Run) -> str:
    """The report's section on quality."""
    return render_report([run]).partition('<h2 id="run-1-quality-title">')[2].partition("</section>")[0]


def test_the_picture_says_in_words_what_it_shows(listened: Run) -> None:
    html = render_report([listened])
    words = sum(len((clip.text or "").split()) for clip in CLIPS)
    assert "First packet (median) against reply WER, with 95 % intervals." in html
    assert f"good: 100 ms, {1 / words:.3f}; noise: 100 ms, 1.000." in html
    assert "First packet (median) against opinion (ears en), with 95 % intervals." in html
    assert "good: 100 ms, 4.000; noise: 100 ms, 4.000." in html


def test_a_run_that_was_not_assessed_says_so(original: Path) -> None:
    run = read_run(original)
    assert "reply WER of good, noise: n/a, not examined; run: bench quality RUN" in shown(run)
    assert labels(run)["good"].quality.audio is None
    assert not list(quality_notices(labels(run)["noise"]))


def test_json_has_the_same_figures(listened: Run) -> None:
    told = json.loads(json.dumps(as_json(summarise(listened)), allow_nan=False))["labels"]["noise"]["quality"]
    assert told["reply"]["rate"]["value"] == 1.0 and told["reply"]["rate"]["n"] == len(CLIPS)
    assert told["reply"] == told["recognisers"][-1]["reply"]
    assert told["recognisers"][0]["clips"]["rate"]["value"] == 0.1
    assert told["recognisers"][0]["words_heard"] == 0
    assert told["audio"]["clipped_share"]["value"] == 0.02 and told["audio"]["offset"]["value"] == 0.01
    score = told["scores"][0]
    assert (score["scorer"], score["lowest"], score["highest"]) == ("opinion (ears en)", 1.0, 5.0)
    assert (score["mean"]["value"], score["mean"]["n"]) == (4.0, 8)
    assert told["transcript"]["reason"] == ""


def test_an_implausible_pace_gives_a_notice(tmp_path: Path) -> None:
    run = read_run(known_run(tmp_path / "run", CLIPS, {"hasty": SPEECH}, says="{0} {0} {0}"))
    hasty = labels(run)["hasty"]
    assert hasty.quality.pace is not None and hasty.quality.pace.implausible == len(CLIPS)
    assert any("implausible pace in 8 of 8 replies" in notice for notice in quality_notices(hasty))


def test_pace_is_judged_by_the_script_of_the_question(tmp_path: Path) -> None:
    """Four characters a second are an ordinary pace in Chinese, and a crawl in letters."""
    slow = tuple(replace(clip, text="今天的天气怎么样") for clip in CLIPS)
    chinese = labels(read_run(known_run(tmp_path / "zh", slow, {"a": SPEECH})))["a"].quality.pace
    drawling = tuple(replace(clip, text="yes maybe") for clip in CLIPS)
    english = labels(read_run(known_run(tmp_path / "en", drawling, {"a": SPEECH})))["a"].quality.pace
    assert chinese is not None and chinese.implausible == 0
    assert english is not None and english.implausible > 0


def test_silence_is_not_called_unintelligible(tmp_path: Path) -> None:
    mute = labels(read_run(known_run(tmp_path / "run", CLIPS[:2], {"mute": SILENCE})))["mute"]
    assert [*quality_notices(mute)] == ["mute is mostly silent: 2 of 2 turns have no audible reply."]
    assert mute.quality.figures["reply_silence"].value == 1.0
