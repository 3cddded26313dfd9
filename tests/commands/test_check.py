"""`check`: the real model plays a suite; the exit status says whether it passed."""

from __future__ import annotations

import pytest

from studio.play.spot_checks.results import list_results
from studio.play.spot_checks.suite import suites_folder
from studio.workspace import Workspace, atomic_write
from tests.commands.running import Studio

BASE = "smollm2-135m-instruct"
SUITE = """
title: Short words
system: |
  # Role
  You are the DM.
sampling: {temperature: 0.0, max_tokens: 6}
lines:
- player: Hello?
  expect: {shorter_than: %s}
"""


def put(workspace: Workspace, name: str, words: int) -> None:
    atomic_write(suites_folder(workspace) / f"{name}.yaml", SUITE % words)


@pytest.mark.slow
def test_a_suite_that_fails_ends_with_1_and_shows_the_evidence(studio: Studio, workspace: Workspace) -> None:
    put(workspace, "fair", 50)
    put(workspace, "strict", 1)
    both = studio("--workspace", workspace.root, "check", BASE, "--threads", 1)
    assert both.status == 1
    assert "passed  shorter than 50 words" in both.out
    assert "FAILED  shorter than 1 words: " in both.out
    fair = studio("--workspace", workspace.root, "check", BASE, "fair", "--threads", 1, "--json")
    assert (fair.status, [one["passed"] for one in fair.document]) == (0, [True])
    assert fair.document[0]["attempts"][0]["lines"][0]["verdicts"][0]["passed"] is True
    assert len(list_results(workspace, "fair")) == 2


def test_what_cannot_be_played_is_told_before_a_model_is_loaded(studio: Studio, workspace: Workspace) -> None:
    none = studio("--workspace", workspace.root, "check", BASE)
    assert (none.status, "no spot check" in none.err) == (1, True)
    put(workspace, "odd", 0)
    assert studio("--workspace", workspace.root, "check", BASE, "odd").status == 2
    put(workspace, "fair", 50)
    assert studio("--workspace", workspace.root, "check", "nobody", "fair").status == 1
    assert studio("--workspace", workspace.root, "check", BASE, "fair", "--repeat", "0").status == 2
