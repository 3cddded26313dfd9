import pytest

from studio.bases import BaseModel
from studio.play import (
    HostOptions,
    ModelHost,
    PlaySettings,
    Sampling,
    read_scenario,
    read_script,
    run_script,
    transcript_markdown,
)
from studio.workspace import PROJECT_ROOT, Workspace

LINES = ["I look for a way in.", "Sarah: I climb the wall."]
SETTINGS = PlaySettings(sampling=Sampling(max_tokens=16))


def test_a_script_has_one_player_line_per_line() -> None:
    assert read_script("\ufeff# title\n\n I look. \r\n  # more\nI go.\n") == ["I look.", "I go."]


@pytest.mark.slow
def test_the_same_script_file_and_seed_give_the_same_transcript_on_any_host(
    empty_workspace: Workspace, smollm2: BaseModel, host: ModelHost
) -> None:
    file = smollm2.directory / "base.gguf"
    scenario = read_scenario(empty_workspace, PROJECT_ROOT / "data/scenarios/combat/tavern-brawl.md")
    own = run_script(empty_workspace, file, scenario, LINES, seed=5, settings=SETTINGS, options=HostOptions(threads=1))
    shared = run_script(empty_workspace, file, scenario, LINES, seed=5, settings=SETTINGS, host=host)
    assert transcript_markdown(own) == transcript_markdown(shared)
    assert own.model.sha256 == smollm2.manifest.files["base.gguf"].sha256
    assert [turn.player for turn in own.turns] == LINES
    assert own.turns[1].statistics.n_reused > own.turns[0].statistics.n_prompt


def test_the_transcript_shows_rolls_hash_seed_and_settings(
    empty_workspace: Workspace, smollm2: BaseModel, host: ModelHost
) -> None:
    settings = PlaySettings(grammar='root ::= "Go.\\n[roll: perception]"', rolls_per_turn=1)
    run = run_script(
        empty_workspace,
        smollm2.directory / "base.gguf",
        "# Role\nYou are the DM.",
        LINES[:1],
        settings=settings,
        host=host,
    )
    page = transcript_markdown(run, with_speed=True)
    assert run.roll_requests == 1
    assert f"> `{run.turns[0].rolls[0].text}`" in page
    assert run.model.sha256 in page
    assert str(smollm2.directory) not in page
    assert "Seed 7, temperature 0.7" in page
