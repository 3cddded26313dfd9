"""Two short scenarios, one real evaluation of SmolLM2 that many tests read, and GGUF headers changed byte by byte."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.conversion.formats.gguf_header import read_header
from studio.metrics import TurnCase
from studio.scenarios import Vocabulary, load_vocabulary
from studio.validation import EvaluationSettings, ModelStamp, ReportCard
from studio.validation.card import model_result, report_card
from studio.validation.request import EvaluationRequest, model_files, scenario_files
from studio.validation.rows import GeneratedTurn
from studio.validation.run import run_evaluation
from studio.workspace import Workspace
from tests.metrics.conftest import shipped_cases

SHIPPED = Path(__file__).resolve().parents[2] / "data" / "validation"
HEAD = """<SYSTEM>
# Role
You are the Dungeon Master of a D&D Campaign

# Party

## Sarah
- Player Character
- Rogue
- Health: 22/22
- Skills: Stealth +7, Perception +5
- Inventory: Shortsword, 20 arrows
</SYSTEM>
"""
CELLAR = f"""---
title: The Cellar
scenario_type: exploration
---

{HEAD}
<User>I creep down the stairs.</User>

<DM>The steps are slick with moss.

[roll: stealth, dc=15]</DM>

<TOOLCALL>stealth: 9 + 7(skill) = *16*</TOOLCALL>

<DM>*SUCCESS* Nothing stirs below. A goblin snores on a barrel.</DM>

<User>I look for another way out.</User>

<DM>The cellar is dark beyond the barrel.

[roll: perception]</DM>
"""
GATE = f"""---
title: The Gate
scenario_type: roleplay
---

{HEAD}
<User>I sneak past the gate.</User>

<DM>A lantern swings in the wind.

[roll: stealth, dc=12]</DM>

<TOOLCALL>stealth: 2 + 7(skill) = *9*</TOOLCALL>

<DM>*FAILED* The guard turns his head. "Who is there?"</DM>

<User>"Only a merchant," I say.</User>

<DM>He lifts the lantern and looks at your boots.</DM>

<User>I show him my empty hands.</User>

<DM>"Late for a merchant," he says, and waves you on.</DM>
"""
SETTINGS = EvaluationSettings(max_tokens=10, context_tokens=1024, threads=1, stress=False)


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


@pytest.fixture(scope="session")
def base(smollm2: BaseModel) -> Path:
    """The real GGUF of the embedded base model."""
    return smollm2.directory / "base.gguf"


@pytest.fixture(scope="session")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The workspace in which `evaluated` was made; tests may ask it again, and then nothing is generated."""
    return make_campaign(tmp_path_factory.mktemp("campaign"))


@pytest.fixture
def other_campaign(tmp_path: Path) -> Workspace:
    """A workspace with the same scenarios, in which nothing has been generated."""
    return make_campaign(tmp_path / "other")


@pytest.fixture(scope="session")
def evaluated(campaign: Workspace, base: Path) -> ReportCard:
    """One unbroken evaluation of SmolLM2 on the seven DM turns of the two scenarios."""
    return evaluate(campaign, base)


@pytest.fixture(scope="session")
def held_out(vocabulary: Vocabulary) -> list[TurnCase]:
    """Every DM turn of the shipped validation scenarios."""
    return shipped_cases(vocabulary)


@pytest.fixture
def changed(base: Path, tmp_path: Path) -> Callable[..., Path]:
    """The real file with bytes of its header replaced by as many others; the weights are holes of zeros."""
    head = base.read_bytes()[: read_header(base).data_offset]

    def change(*replacements: tuple[bytes, bytes]) -> Path:
        content = head
        for old, new in replacements:
            assert len(old) == len(new)
            assert old in content
            content = content.replace(old, new, 1)
        path = tmp_path / "changed.gguf"
        path.write_bytes(content)
        os.truncate(path, base.stat().st_size)
        return path

    return change


def make_campaign(root: Path) -> Workspace:
    workspace = Workspace(root)
    workspace.validation_dir.mkdir(parents=True)
    (workspace.validation_dir / "cellar.md").write_text(CELLAR, encoding="utf-8")
    (workspace.validation_dir / "gate.md").write_text(GATE, encoding="utf-8")
    return workspace


def evaluate(workspace: Workspace, *models: Path, settings: EvaluationSettings = SETTINGS) -> ReportCard:
    request = EvaluationRequest(
        workspace=workspace.root,
        models=model_files(workspace, list(models)),
        scenarios=scenario_files(workspace),
        settings=settings,
    )
    return run_evaluation(request, created=0.0)


def lasting(card: ReportCard) -> dict[str, object]:
    """A report without what differs from run to run: when it was made, and how long the work took."""
    values = card.model_dump(exclude={"created"})
    for model in values["models"]:
        del model["work"]
    return values


def card_of(cases: Sequence[TurnCase], vocabulary: Vocabulary, **texts: Sequence[str]) -> ReportCard:
    """A report over texts that no model wrote, by label."""
    results = [
        model_result(
            ModelStamp(label=label, file=f"{label}.gguf", sha256=label, size_bytes=1),
            cases,
            [
                GeneratedTurn(model_sha256=label, key=case.key, fingerprint="", text=text, reason="end_of_turn")
                for case, text in zip(cases, written, strict=True)
            ],
            [],
            [],
            vocabulary,
            SETTINGS.seed,
        )
        for label, written in texts.items()
    ]
    return report_card(cases, results, SETTINGS, created=0.0)
