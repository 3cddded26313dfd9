"""Shared fixtures: real base models, imported once per machine, and fresh workspaces that borrow them.

The models lie in the project's own models/base/ (as `make run` imports them) and, for the tiny random ones, in
.studio/test-cache/; git ignores both. Imports take a file lock, so pytest-xdist workers share one import.
Workspaces hold hard links: a test that wants a damaged file must replace it, never write into it.

`make test` runs the tests in several processes. What shares an expensive fixture stays in one of them, see
`scheduling.py`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from studio.bases import BaseModel, find_base, get_base, import_base, import_folder
from studio.bases.disk import link_or_copy
from studio.workspace import PROJECT_ROOT, Workspace

os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# A shell that runs the tests in its background has Ctrl+C ignored, and so would every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
hypothesis.settings.register_profile("studio", deadline=None)  # how long an example takes is no property
hypothesis.settings.load_profile("studio")

PROJECT = Workspace(PROJECT_ROOT)
TINY_CACHE = Workspace(PROJECT_ROOT / ".studio" / "test-cache")
TINY_KINDS = {"smollm2-135m-instruct": ("llama", "qwen2", "qwen3"), "gemma3-270m": ("gemma3",)}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from tests.scheduling import Scheduler

    return Scheduler(config, log)


@pytest.fixture(autouse=True)
def own_main_module() -> Iterator[None]:
    """Streamlit's AppTest leaves its script as `__main__`, which the processes that a later test starts would run."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture(scope="session")
def smollm2() -> BaseModel:
    """SmolLM2-135M-Instruct, imported for real."""
    return import_base(PROJECT, "smollm2-135m-instruct")


@pytest.fixture(scope="session")
def gemma3() -> BaseModel:
    """Gemma 3 270M, imported for real; running the tests accepts its terms as the README says."""
    return import_base(PROJECT, "gemma3-270m", accept_licence=True)


@pytest.fixture(scope="session")
def tiny_llama(smollm2: BaseModel) -> BaseModel:
    """Two random Llama layers, width 256, SmolLM2's tokenizer."""
    return _tiny("llama", smollm2)


@pytest.fixture(scope="session")
def tiny_qwen2(smollm2: BaseModel) -> BaseModel:
    """Two random Qwen2 layers, width 256, SmolLM2's tokenizer (it has the same control tokens)."""
    return _tiny("qwen2", smollm2)


@pytest.fixture(scope="session")
def tiny_qwen3(smollm2: BaseModel) -> BaseModel:
    """Two random Qwen3 layers, width 256, SmolLM2's tokenizer (it has the same control tokens)."""
    return _tiny("qwen3", smollm2)


@pytest.fixture(scope="session")
def tiny_gemma3(gemma3: BaseModel) -> BaseModel:
    """Six random Gemma 3 layers, width 64, Gemma's tokenizer."""
    return _tiny("gemma3", gemma3)


@pytest.fixture
def empty_workspace(tmp_path: Path) -> Workspace:
    """A fresh workspace with nothing in it; configuration is the project's."""
    return Workspace(tmp_path / "campaign")


@pytest.fixture
def borrow(empty_workspace: Workspace) -> Callable[[BaseModel], BaseModel]:
    """Put an imported base model into the fresh workspace by hard links: `borrow(tiny_llama)`."""
    return lambda base: link_into(empty_workspace, base)


@pytest.fixture
def workspace(empty_workspace: Workspace, smollm2: BaseModel, borrow: Callable[[BaseModel], BaseModel]) -> Workspace:
    """A fresh workspace in which SmolLM2 is imported. Use `borrow` to add more."""
    borrow(smollm2)
    return empty_workspace


def link_into(workspace: Workspace, base: BaseModel) -> BaseModel:
    target = workspace.base_dir / base.name
    for name in (*base.manifest.files, "base.json"):
        link = target / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(base.directory / name, link)
    return BaseModel.load(target)


def _tiny(kind: str, donor: BaseModel) -> BaseModel:
    """The tiny model of that kind. Whoever is first makes all with the donor's tokenizer: torch takes long to start."""
    from filelock import FileLock

    TINY_CACHE.base_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(TINY_CACHE.base_dir / f".{donor.name}.making"), tempfile.TemporaryDirectory() as folder:
        missing = [one for one in TINY_KINDS[donor.name] if find_base(TINY_CACHE, f"tiny-{one}") is None]
        made = {one: Path(folder) / one for one in missing}
        if made:
            script = Path(__file__).with_name("tiny_models.py")
            orders = [str(part) for pair in made.items() for part in pair]
            command = [sys.executable, str(script), str(donor.hf / "tokenizer.json"), *orders]
            subprocess.run(command, check=True, capture_output=True)
        for one, path in made.items():
            import_folder(TINY_CACHE, path, f"tiny-{one}", accept_licence=True)
        return get_base(TINY_CACHE, f"tiny-{kind}")
