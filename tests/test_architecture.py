"""The import directions of docs/architecture.md, and the rule that pages never load the heavy libraries."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENGINE = ROOT / "studio"
HEAVY = {"torch", "transformers", "llama_cpp", "peft", "trl"}
EVERYWHERE = {"jobs", "config", "database", "exports", "machine", "workspace", "errors"}
BELOW = {
    "errors": set(),
    "exports": set(),
    "workspace": set(),
    "database": set(),
    "config": {"workspace"},
    "machine": {"workspace"},
    "jobs": {"config", "database", "workspace"},
    "scenarios": set(),
    "metrics": {"scenarios"},
    "bases": {"scenarios", "metrics"},
    "dataset": {"bases", "scenarios", "metrics"},
    "training": {"dataset", "bases", "scenarios", "metrics"},
    "conversion": {"bases", "scenarios", "metrics"},
    "play": {"conversion", "bases", "scenarios", "metrics"},
    "validation": {"play", "conversion", "bases", "scenarios", "metrics"},
    "registry": {"validation", "play", "conversion", "bases", "scenarios", "metrics"},
}
TOP = {"cli", "commands", "ui", "__main__", "__init__"}  # stand on everything, nothing stands on them


def part_of(path: Path) -> str:
    return path.relative_to(ENGINE).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def imported_parts(path: Path) -> set[str]:
    known = set(BELOW) | TOP
    parts = {name.split(".")[1] for name in imported_modules(path) if name.startswith("studio.")}
    return (parts & known) - {part_of(path)}


@pytest.mark.parametrize("path", sorted(ENGINE.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_inside_the_engine_go_down(path: Path) -> None:
    part = part_of(path)
    if part in TOP:
        return
    base = {"errors"} if part in EVERYWHERE else EVERYWHERE
    upwards = imported_parts(path) - BELOW[part] - base
    assert not upwards, f"{part} may not import {sorted(upwards)}"


@pytest.mark.parametrize("path", sorted([ROOT / "app.py", *(ROOT / "pages").glob("*.py")]), ids=lambda p: p.name)
def test_pages_import_no_heavy_library(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported_modules(path)}
    assert not roots & HEAVY


def test_importing_every_part_loads_no_heavy_library() -> None:
    parts = [f"studio.{part}" for part in BELOW] + ["studio.cli"]
    program = f"import sys, importlib; [importlib.import_module(p) for p in {parts!r}]; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert not HEAVY & set(loaded.stdout.split())


def test_the_engine_never_imports_streamlit() -> None:
    offenders = [p for p in ENGINE.rglob("*.py") if any(n.split(".")[0] == "streamlit" for n in imported_modules(p))]
    assert offenders == []
