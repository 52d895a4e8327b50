"""Arrows point one way, there is one import name, and data folders hold no Python."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Who may import whom inside bench; whoever is lower knows nothing of those above.
LAYERS = [
    {"errors", "codec", "contract", "sanitize", "paths", "vocabulary", "addresses"},
    {"plugins", "calibration"},
    {"timing", "host"},
    {"pipeline"},
    {"registry", "environment", "packages", "options", "config", "stats", "format", "ipc"},
    {"tables"},
    {"corpus"},
    {"record"},
    {"quality"},
    {"gpu"},
    {"metrics"},
    {"run", "overhead", "notices", "summary", "catalogue", "recompute", "redact"},
    {"compare", "doctor", "progress", "calibrate"},
    {"gate"},
    {"analysis"},
    {"report"},
    {"export", "history"},
    {"commands", "testing"},
    {"cli"},
    {"reference"},
]
# The schema names figures' owners and the store needs the schema; metrics reads both and is read by neither.
RANK = {name: number for number, layer in enumerate(LAYERS) for name in layer}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def imports(path: Path, at_top: bool = False) -> frozenset[str]:
    nodes = _at_import_time(parsed(path)) if at_top else list(ast.walk(parsed(path)))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def _at_import_time(tree: ast.Module) -> list[ast.stmt]:
    return [node for node in tree.body if not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.If))]


def inside(name: str, package: str) -> str:
    """The module of ours right below `firstpacket.PACKAGE` that an import names; empty for others."""
    parts = name.split(".")
    return parts[2] if parts[:2] == ["firstpacket", package] and len(parts) > 2 else ""


@cache
def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", modules("bench"), ids=lambda path: str(path.relative_to(ROOT)))
def test_bench_knows_no_model_and_looks_downwards_only(path: Path) -> None:
    own = path.relative_to(ROOT / "bench").parts[0].removesuffix(".py")
    for name in imports(path):
        assert not name.startswith("firstpacket.pipelines"), "bench never imports pipelines"
        other = inside(name, "bench")
        if other in RANK and other != own and own != "__init__":
            assert RANK[other] <= RANK[own], f"{own} must not import {name}"
    for name in imports(path, at_top=True):
        assert name.split(".")[0] not in {"torch", "transformers", "pandas"}, "imported when used, not before"


@pytest.mark.parametrize("path", modules("pipelines"), ids=lambda path: str(path.relative_to(ROOT)))
def test_pipelines_reach_only_into_the_contract(path: Path) -> None:
    allowed = {"pipeline", "timing", "corpus", "errors", "registry", "codec", "environment", "sanitize", "paths"}
    allowed |= {"vocabulary", "ipc", "addresses"}
    if "tools" in path.parts:
        allowed |= {"format", "packages", "plugins", "tables"}
    if "roofline" in path.parts:
        # a command measures; it is no pipeline
        allowed |= {"metrics", "run", "stats", "options", "config", "contract", "record"}
    if path.parent.name == "quality":
        allowed |= {
            "metrics",
            "run",
            "record",
            "quality",
            "summary",
            "analysis",
            "report",
        }  # it reads runs, and shows them
    if path.parent.name == "evaluation":  # it makes a run, and reads it
        allowed |= {"metrics", "run", "record", "quality", "summary", "stats", "options", "progress"}
    if path.parent.name == "training":
        allowed |= {"quality", "metrics"}  # words and their errors; where an answer becomes audible
    for name in imports(path):
        assert "tools" in path.parts or inside(name, "pipelines") != "tools", "tools use the plugins, not the other way"
        if other := inside(name, "bench"):
            assert other in allowed, f"{path.name} imports {name}"


@pytest.mark.parametrize("folder", ["firstpacket", "bench", "pipelines", "tests"])
def test_one_import_name(folder: str) -> None:
    """Users may have packages named `bench` and `pipelines`: ours must not collide with them."""
    for path in modules(folder):
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & {"bench", "pipelines"}, f"{path} imports {roots & {'bench', 'pipelines'}}"


def test_no_import_cycles() -> None:
    graph: dict[str, frozenset[str]] = {}
    for package in ("bench", "pipelines"):
        for path in modules(package):
            inner = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            name = f"firstpacket.{inner}"
            graph[name] = imports(path, at_top=True)
    graph = {
        name: frozenset(other for other in found if other in graph and other != name) for name, found in graph.items()
    }
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f"cycle: {' -> '.join([*above, name])}"
        if name not in done:
            for other in graph[name]:
                visit(other, (*above, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("package", ["bench", "pipelines"])
def test_no_two_packages_import_each_other(package: str) -> None:
    """Neither at import time nor later: each can be read, and changed, without the other."""
    arrows = {
        (path.relative_to(ROOT / package).parts[0].removesuffix(".py"), inside(name, package))
        for path in modules(package)
        for name in imports(path)
    }
    assert not [(a, b) for a, b in arrows if a < b and b and (b, a) in arrows]


def test_every_module_of_bench_has_a_layer() -> None:
    found = {path.relative_to(ROOT / "bench").parts[0].removesuffix(".py") for path in modules("bench")}
    assert found - {"__init__"} == set(RANK)


def test_data_folders_contain_no_python() -> None:
    assert not [*(ROOT / "datasets").rglob("*.py"), *(ROOT / "reports").rglob("*.py")]
    assert all("support" in path.parts for path in (ROOT / "tests").rglob("__init__.py"))


def test_pickles_are_only_loaded_safely() -> None:
    for path in modules("pipelines"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert given.get("weights_only") == "True", f"{path}: torch.load without weights_only=True"
