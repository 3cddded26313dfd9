"""`monitor` prints what the log holds."""

from __future__ import annotations

from studio.play.watching.monitor import MonitorLog, Switched, TurnPlayed
from studio.workspace import Workspace
from tests.commands.running import Studio


def test_monitor_prints_a_line_per_model_and_what_was_switched(studio: Studio, empty_workspace: Workspace) -> None:
    log = MonitorLog.of(empty_workspace)
    log.append(
        TurnPlayed(
            time=1, model="ab" * 32, name="bard.gguf", ttft_seconds=0.25, tokens_per_second=12, n_generated=9,
            replies=1, requests=4, malformed=1, memory_bytes=10**8,
        )
    )  # fmt: skip
    log.append(
        Switched(
            time=2, source="a", source_title="bard", target="b", target_title="bard.Q4_K_M", why="it stopped working",
            cause="crashes",
        )
    )  # fmt: skip
    outcome = studio("--workspace", empty_workspace.root, "monitor")
    assert outcome.status == 0
    for words in ("bard.gguf", "abababababab", "12.0", "1 of 4", "went on with bard.Q4_K_M", "it stopped working"):
        assert words in outcome.out
    outcome = studio("--workspace", empty_workspace.root, "monitor", "--json")
    assert outcome.document["models"][0]["tokens_per_second"] == 12
    assert outcome.document["switches"][0]["target"] == "b"
