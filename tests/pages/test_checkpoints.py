"""Measure offers the checkpoints of trainings, and a choice outlives their coming and going."""

from __future__ import annotations

import shutil

from studio.bases import BaseModel
from studio.ui.measure import first_choice
from studio.ui.playable import list_choices
from studio.workspace import Workspace
from tests.adapters import put_checkpoint
from tests.pages.visit import Visit
from tests.validation.conftest import make_campaign

NEWEST, OLDER = "checkpoints/tavern/checkpoint-80", "checkpoints/tavern/checkpoint-40"
BASE = "base/smollm2-135m-instruct/base.gguf"


def test_a_checkpoint_is_compared_with_the_base_that_its_run_trains(workspace: Workspace, smollm2: BaseModel) -> None:
    put_checkpoint(workspace, smollm2)
    own, base = first_choice(workspace, list_choices(workspace))
    assert [one.id for one in (own, base) if one] == [OLDER, BASE]


def test_what_was_chosen_stays_while_checkpoints_come_and_go(workspace: Workspace, smollm2: BaseModel) -> None:
    make_campaign(workspace.root)
    folder = put_checkpoint(workspace, smollm2)
    visit = Visit("measure")
    assert visit.app.multiselect(key="measure_models").value == [OLDER]
    visit.choose("multiselect", "measure_models", [OLDER, BASE])
    put_checkpoint(workspace, smollm2, step=80)
    visit.run()
    assert NEWEST in {one.id for one in list_choices(workspace)}
    assert visit.app.multiselect(key="measure_models").value == [OLDER, BASE]
    shutil.rmtree(folder)
    visit.run()
    assert visit.app.multiselect(key="measure_models").value == [BASE]
    assert visit.errors == []
