"""The monitor in a reader's words: nothing that a file is called becomes markup, and a switch is told in a sentence."""

from __future__ import annotations

from pathlib import Path

from studio.play.hosts.pool import LoadedFile
from studio.play.watching.monitor import Switched, TurnLost, TurnPlayed, figures_of
from studio.ui.monitor import budget_sentence, candidate, figures_html, loaded_html, switch_sentence
from studio.ui.playable import Playable

NAME = "<b>bard</b>.gguf"
TURN = TurnPlayed(
    time=1, model="ab" * 32, name=NAME, ttft_seconds=0.5, tokens_per_second=20, n_generated=9, replies=1, requests=4,
    malformed=1, memory_bytes=10**8,
)  # fmt: skip


def test_names_are_escaped_and_what_was_never_measured_is_left_out() -> None:
    lost = TurnLost(time=2, model="cd" * 32, name="rogue.gguf")
    html = figures_html(figures_of([TURN, lost], window=5), own=TURN.model)
    assert "&lt;b&gt;bard&lt;/b&gt;.gguf<small>at this table</small>" in html
    assert "1 of 4 misread" in html
    assert html.count("first word") == 1
    assert "loaded anew" not in html
    loaded = LoadedFile(NAME, "ab" * 32, "<i>tavern</i>", 10**8, "replying", restarts=1, process=7)
    html = loaded_html([loaded])
    assert "with &lt;i&gt;tavern&lt;/i&gt;" in html
    assert "replying" in html
    assert budget_sentence([loaded], 2 * 10**9) == "100 MB of 2.00 GB for models are taken."


def test_a_switch_says_what_with_what_and_why() -> None:
    switch = Switched(
        time=1, source="a", source_title="bard", target="b", target_title="rogue", cause="crashes", why="it stopped"
    )
    assert switch_sentence(switch) == "The studio went on with rogue, because of bard: it stopped."
    back = switch.model_copy(update={"cause": "", "why": "bard did well for 5 turns"})
    assert switch_sentence(back) == "The studio went back to rogue, because bard did well for 5 turns."


def test_an_adapter_never_stands_in_for_a_file_of_its_run() -> None:
    file = candidate(Playable("gguf/bard/bard.gguf", "bard", Path("models/gguf/bard/bard.gguf"), 100, is_base=False))
    folder = Path("models/checkpoints/bard/best")
    adapter = candidate(Playable("checkpoints/bard/best", "bard", folder, 9, is_base=False, is_adapter=True))
    assert file.group != adapter.group
