"""The command line as a user runs it: what works, and the messages for what does not."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import ROOT, bench, here, write_clips

from firstpacket.bench import plugins
from firstpacket.bench.cli import COMMANDS, OWN_PLUGINS

QUICK = "scripted,script=hear; tts 2; packet 50"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("corpus"), count=7)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, clips: Path) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    slow = "slow=scripted,script=hear; tts 12; packet 50"
    done = here("run", "-p", f"quick={QUICK}", "-p", slow, "--corpus", clips, "--turns", "7", "--out", out)
    assert done.returncode == 0, done.stderr
    assert (out / "report.html").exists()
    assert f"run:    {out}" in done.stderr
    return out


def test_json_has_all_figures_by_label(finished: Path) -> None:
    answer = here("show", finished, "--json")
    assert answer.returncode == 0, answer.stderr
    figures = json.loads(answer.stdout)
    assert figures["schema"] == 2
    assert set(figures["labels"]) == {"quick", "slow"}
    slow = figures["labels"]["slow"]
    headline = slow["figures"]["first_packet_latency"]
    assert headline["n"] == 7
    assert 12 <= headline["p50"]["value"] < 40
    assert slow["outcomes"]["measured"]["answered"] == 7


def test_show_and_compare_print_tables(finished: Path) -> None:
    shown = here("show", finished)
    assert "quick" in shown.stdout
    compared = here("compare", finished)
    assert "7 pairs" in compared.stdout
    assert "sooner" in compared.stdout or "later" in compared.stdout


def test_tables_are_printed_where_the_terminal_has_no_size(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    assert "first packet" in here("show", finished).stdout


def test_two_runs_are_compared_by_label(finished: Path) -> None:
    compared = here("compare", finished, finished)
    assert compared.returncode == 0, compared.stderr
    assert "quick" in compared.stdout


def test_a_report_is_written_to_the_given_path(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report.html"
    out.parent.mkdir()
    assert here("report", finished, "-o", out).returncode == 0
    assert "<html" in out.read_text()


def test_the_manifest_records_turns_options_and_environment(finished: Path) -> None:
    manifest = json.loads((finished / "manifest.json").read_text())
    assert manifest["turns"] == 7
    assert manifest["labels"][1]["options"]["script"] == "hear; tts 12; packet 50"
    assert manifest["options"]["seed"] == 0
    segment = json.loads((finished / "segments.jsonl").read_text())
    assert segment["environment"]["cpu"]
    assert segment["environment"]["omp_wait_policy"]
    assert segment["packages"]["numpy"]


def test_keys_never_reach_the_manifest(tmp_path: Path, clips: Path) -> None:
    out = tmp_path / "run"
    here("run", "-p", QUICK, "--corpus", clips, "--turns", "1", "--out", out, "--config", _config(tmp_path))
    everything = "".join(path.read_text(errors="replace") for path in out.rglob("*") if path.is_file())
    assert "hunter2" not in everything


def _config(folder: Path) -> Path:
    config = folder / "api-key=hunter2.toml"
    config.write_text("warmup = 0\n")
    return config


def test_flags_win_over_the_config_file(tmp_path: Path, clips: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text(
        f'corpus = "{clips}"\nturns = 2\nwarmup = 0\nseed = 5\nkeep-audio = false\n'
        '[[pipeline]]\nname = "scripted"\nlabel = "mine"\nscript = "hear; tts 1; packet 20"\n'
    )
    out = tmp_path / "run"
    done = here("run", "--config", config, "--turns", "1", "--out", out, "--no-report")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["turns"], manifest["warmup"]) == (1, 0)
    assert (manifest["options"]["seed"], manifest["options"]["keep_audio"]) == (5, False)
    assert manifest["labels"][0]["label"] == "mine"


def test_a_pipeline_of_another_package_is_measured(tmp_path: Path, clips: Path) -> None:
    assert "Repeats what it heard" in bench("list", plugins=True).stdout
    out = tmp_path / "run"
    done = bench("run", "-p", "echo,gain=0.5", "--corpus", clips, "--out", out, plugins=True)
    assert done.returncode == 0, done.stderr
    turns = [json.loads(line) for line in (out / "turns.jsonl").read_text().splitlines()]
    assert {turn["outcome"] for turn in turns} == {"answered"}
    assert {part["stage"] for part in turns[-1]["path"]} >= {"encoder", "vocoder"}
    assert json.loads((out / "segments.jsonl").read_text())["packages"]["echo-assistant"] == "1.0"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "cascad"], "Unknown pipeline 'cascad'. Did you mean 'cascade'?"),
        (["-p", "cascade,asr=pocketsphynx"], "Did you mean 'pocketsphinx'?"),
        (["-p", "scripted,scrip=x"], "Did you mean 'script'?"),
        (["-p", "scripted,script"], "is not key=value"),
        (["-p", "scripted", "-p", "scripted"], "Label 'scripted' is used twice"),
        (["-p", "../x=scripted"], "Label '../x' cannot be used"),
        (["-p", "scripted", "--corpus", "/no/such/corpus"], "/no/such/corpus"),
        (["-p", "scripted", "--turns", "0"], "--turns 0"),
        (["-p", "scripted", "--device", "tpu"], "--device tpu"),
        (["-p", "scripted", "--dtype", "int3"], "Unknown dtype 'int3'"),
        (["-p", "scripted", "--deadline", "-1"], "--deadline -1"),
        ([], "No pipeline given"),
        (["-p", "scripted,script=hear; fly 3"], "step 'fly 3'"),
        (["--resume", "/no/such/run"], "not a run folder"),
        (["-p", "scripted", "--config", "/no/such.toml"], "Cannot read the config file"),
    ],
)
def test_wrong_arguments_are_refused_with_a_message(
    arguments: list[str], message: str, tmp_path: Path, clips: Path
) -> None:
    corpus = [] if "--corpus" in arguments else ["--corpus", str(clips)]
    done = here("run", *arguments, *([] if "--resume" in arguments else [*corpus, "--out", str(tmp_path / "run")]))
    assert done.returncode not in (0, 1)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("turns = [", "not valid TOML"),
        ("turnz = 3", "Did you mean 'turns'?"),
        ('turns = "many"', "expected a whole number"),
        ("pipeline = 3", "[[pipeline]]"),
        ("[[pipeline]]\nlabel = 'x'", "needs a name"),
    ],
)
def test_a_bad_config_file_is_explained(text: str, message: str, tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text(text)
    done = here("run", "--config", config)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert message in done.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["gate", "-p", "scripted", "--against", ""], "--against"),
        (["gate", "-p", "scripted", "--against="], "--against"),
        (["gate", "-p", "scripted", "--baseline", " \n"], "--baseline"),
        (["gate", "-p", "scripted", "--limits", ""], "--limits"),
        (["gate", "-p", "scripted", "--allow="], "--allow"),
        (["run", "-p", ""], "-p"),
        (["run", "-p", "scripted", "--corpus="], "--corpus"),
        (["run", "-p", "scripted", "--out", ""], "--out"),
        (["run", "-p", "scripted", "--config", ""], "--config"),
        (["run", "--resume", ""], "--resume"),
        (["run", "-p", "a="], "--pipeline a="),
        (["run", "-p", "cascade,llm=openai,llm-url="], "--pipeline cascade,llm=openai,llm-url=: llm-url"),
        (["baseline", "save", "run", "--name", ""], "--name"),
        (["export", "run", "--format", ""], "--format"),
        (["show", ""], "the argument after 'show'"),
        (["corpus", "check", ""], "the argument after 'check'"),
    ],
)
def test_an_empty_value_is_not_the_same_as_none(words: list[str], named: str) -> None:
    """In CI it is an unset variable; nothing may be measured instead."""
    done = here(*words)
    assert done.returncode == 2
    assert done.stderr.startswith(f"bench: {named}: the value is empty (unset shell variable?)."), done.stderr


@pytest.mark.parametrize("line", ['corpus = ""', 'out = ""', 'precision = " "', '[[pipeline]]\nname = ""'])
def test_an_empty_value_in_a_config_file(line: str, tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text(line)
    words = [] if "pipeline" in line else ["-p", "scripted"]
    done = here("run", *words, "--config", config)
    assert done.returncode == 2 and "the value is empty" in done.stderr, done.stderr


def test_cuda_without_cuda_is_refused(tmp_path: Path, clips: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    done = here("run", "-p", "direct", "--device", "cuda", "--corpus", clips, "--out", tmp_path / "run")
    assert done.returncode == 3
    assert "--device cpu" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unwritable_output_folder_is_refused(tmp_path: Path, clips: Path) -> None:
    (tmp_path / "file").write_text("")
    done = here("run", "-p", QUICK, "--corpus", clips, "--out", tmp_path / "file" / "run")
    assert done.returncode == 3
    assert "--out" in done.stderr


def test_a_run_without_any_answered_turn_fails(tmp_path: Path, clips: Path) -> None:
    done = here(
        "run", "-p", "scripted,script=hear; raise", "--corpus", clips, "--turns", "2", "--out", tmp_path / "run"
    )
    assert done.returncode == 3
    assert "No turn of scripted was answered" in done.stderr
    assert "raised by the script" in done.stderr


def test_list_and_help_import_no_model_library() -> None:
    watch = (
        "import sys\n"
        "from firstpacket.bench.cli import main\n"
        "for command in ('--help', 'list'):\n"
        "    sys.argv = ['bench', command]\n"
        "    try: main()\n"
        "    except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'faster_whisper', 'pocketsphinx', 'matplotlib', 'pandas'}\n"
        "print('imported:', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", watch], capture_output=True, text=True, cwd=ROOT, check=True, timeout=60
    )
    assert "Commands" in done.stdout and "direct" in done.stdout and "imported: []" in done.stdout


def test_list_shows_what_is_installed_and_how_to_install_the_rest() -> None:
    listed = here("list").stdout
    for name in ("direct", "cascade", "pocketsphinx", "faster-whisper", "transformers", "espeak", "demo"):
        assert re.search(rf"\b{name}\b", listed)


def test_doctor_checks_this_machine() -> None:
    done = here("doctor")
    assert done.returncode == 0
    assert re.search(r"ok +machine: .*\d+ MiB", done.stdout)
    assert "pipeline direct" in done.stdout
    assert "llm openai: will run" not in done.stdout


def test_the_checkout_does_not_shadow_the_datasets_library() -> None:
    look = "import datasets, sys; print(getattr(datasets, '__file__', None))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, cwd=ROOT, check=False)
    assert str(ROOT / "datasets") not in done.stdout


def test_a_closed_pipe_does_not_crash(finished: Path) -> None:
    shell = f"{sys.executable} -m firstpacket show {finished} --json | head -c 10"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, cwd=ROOT, env=os.environ, check=False)
    assert "Traceback" not in done.stderr


def test_resume_refuses_changed_options(finished: Path) -> None:
    done = here("run", "--resume", finished, "--turns", "50")
    assert done.returncode == 2
    assert "--turns" in done.stderr


def test_ids_with_markup_stay_text(tmp_path: Path) -> None:
    from rich.console import Console

    from firstpacket.bench.progress import BarProgress
    from firstpacket.bench.run.schedule.base import PlannedTurn

    console = Console(force_terminal=True, file=(tmp_path / "terminal").open("w"))
    with BarProgress(console) as progress:
        progress.begins(PlannedTurn(1, 0, "measured", "a", "[/foo] [red]x"), 0, 1)
    console.file.close()
    assert "[/foo] [red]x" in (tmp_path / "terminal").read_text()


def _installed(folder: Path, name: str, entry_points: str) -> None:
    metadata = folder / f"{name}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(entry_points)


@pytest.mark.parametrize("code", ["raise RuntimeError('boom')", "import sys; sys.exit(0)", "class Broken: pass"])
def test_a_broken_plugin_is_named_and_the_others_still_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    (tmp_path / "broken.py").write_text(code)
    _installed(tmp_path, "broken", "[firstpacket.pipelines]\nbroken = broken:Broken\n")
    monkeypatch.syspath_prepend(tmp_path)
    for arguments, codes in ((["list"], {0}), (["run", "-p", "broken"], {2, 3})):
        monkeypatch.delitem(sys.modules, "broken", raising=False)
        done = here(*arguments)
        assert "Traceback" not in done.stderr
        assert done.returncode in codes
        assert "broken" in done.stdout + done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_is_built_when_called(name: str) -> None:
    answer = here(name, "--help")
    assert answer.returncode == 0 and f" {name} " in answer.stdout.splitlines()[0]


def test_help_imports_no_command_and_no_options() -> None:
    code = (
        "import sys; from firstpacket.bench.cli import main; sys.argv = ['bench', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = ('firstpacket.bench.commands.', 'firstpacket.bench.options', 'firstpacket.pipelines')\n"
        "print([m for m in sys.modules if m.startswith(heavy)])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(name in answer.stdout for name in (*COMMANDS, *plugins.names("commands")))
    assert answer.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", plugins.names("commands"))
def test_help_describes_the_commands_of_plugins_as_they_do_themselves(name: str) -> None:
    assert plugins.summary("commands", name) == plugins.engine("commands", name).info.help == OWN_PLUGINS.get(name)


def test_a_command_without_a_description_names_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare/__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "bare/tool.py").write_text("command = None")
    _installed(tmp_path, "bare", "[firstpacket.commands]\nbare = bare.tool:command\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert plugins.summary("commands", "bare") == "Provided by bare."
    (tmp_path / "bare/tool.py").write_text('"""Do it.\n\nMore."""\n')
    assert plugins.summary("commands", "bare") == "Do it."


def test_a_crash_in_native_code_shows_the_python_stack() -> None:
    """A plugin's module may load a library that crashes while it is imported."""
    crash = "import ctypes; from firstpacket.bench import cli; cli.application = lambda _: ctypes.string_at(0); "
    done = subprocess.run([sys.executable, "-c", f"{crash}cli.main()"], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in done.stderr and "in string_at" in done.stderr
