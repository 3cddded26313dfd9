"""Twenty kills of one run. Not in tests/training/, whose tests stay in one process and wait for each other."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from typing import Any

from studio.bases import BaseModel
from studio.workspace import PROJECT_ROOT, Workspace
from tests.training.conftest import furnish


def test_a_run_killed_at_twenty_moments_becomes_what_an_unbroken_one_becomes(
    tiny_llama: BaseModel, empty_workspace: Workspace
) -> None:
    """Real SIGKILLs while it loads, computes, saves and ends; every third one damages the newest checkpoint as well."""
    campaign = furnish(empty_workspace, tiny_llama)
    seed = os.environ.get("STUDIO_KILL_SEED", str(random.randrange(2**32)))  # to see a failure again
    command = [sys.executable, "-m", "tests.killing", str(campaign.root), seed]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # a fork has no threads but its own
    done = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False)
    log = campaign.checkpoints_dir / "broken" / "log.txt"
    assert done.returncode == 0, f"seed {seed}\n{done.stderr[-3000:]}\n{log.read_text()[-3000:]}"
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    kills = found.pop("kills")
    expected = {"same_files": True, "largest_difference": 0.0, "loss_difference": 0.0, "gaps": [], "contradictions": 0}
    same = {"same_steps": True, "same_evaluations": True, "damaged_lines": found["damaged_lines"], "seed": int(seed)}
    assert found == expected | same  # a line that a kill tore is passed over by readers, and its step is taken again
    assert len(kills) == 20
    assert any(one["newest"] and not one["whole"] for one in kills)  # some found a checkpoint half written
    assert any(one["whole"] and one["resumed_from"] < one["newest"] for one in kills)  # and some damaged a whole one
