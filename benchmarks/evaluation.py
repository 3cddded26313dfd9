"""Evaluating whole scenarios against evaluating every prompt by itself: the same model, turns, limits and threads.

A round is one scenario. Both sides find out the same: the reply to every turn, and how likely the author's own was. The
peer is the same code asked for one turn at a time: its prompt is read from the first token, its reply written alone. It
is given every third turn, the middle ones, because a whole scenario would take it minutes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.measure import Ratio, interleaved
from studio.bases import get_base
from studio.metrics import TurnCase, scenario_cases
from studio.play import ModelHost
from studio.scenarios import MarkdownParser, Vocabulary, load_vocabulary
from studio.validation import EvaluationSettings
from studio.validation.evaluation import Generator, by_scenario, host_options
from studio.validation.request import ModelFile
from studio.validation.rows import GeneratedTurn, RowStore
from studio.workspace import PROJECT_ROOT, Workspace

BASE = "smollm2-135m-instruct"
FILES = (
    "validation/harbor-night.md", "validation/roadside-shrine.md", "scenarios/combat/ambush-scenario.md",
    "scenarios/exploration/ancient-ruins.md", "scenarios/roleplay/tavern-gossip.md",
    "scenarios/roleplay/merchant-negotiation.md", "scenarios/exploration/dungeon-discovery.md",
    "scenarios/mixed/full-session-1.md",
)  # fmt: skip
SETTINGS = EvaluationSettings()
STRIDE = 3


def main() -> list[Ratio]:
    base = get_base(Workspace.find(PROJECT_ROOT), BASE)
    assert base.gguf
    vocabulary = load_vocabulary()
    parser = MarkdownParser(vocabulary)
    scenarios = [parser.parse_scenario(PROJECT_ROOT / "data" / name) for name in FILES]
    groups = by_scenario(scenario_cases(scenarios, vocabulary))
    with ModelHost(base.gguf, host_options(SETTINGS)) as host:
        return [evaluating(Bench(host, base.gguf, vocabulary), groups)]


def evaluating(bench: Bench, groups: Sequence[Sequence[TurnCase]]) -> Ratio:
    """Turns per second, each side over the same scenario in each round; the warm-up is one turn of the first."""
    ours, theirs = _turns(groups, bench.whole), _turns(groups, bench.one_by_one)
    ratio = interleaved(
        "evaluating scenarios", "turns/s", "every prompt by itself", ours.__next__, theirs.__next__, rounds=len(groups)
    )
    print(f"  the same text in {bench.same} of {bench.compared} turns", flush=True)
    mine, other = (_seconds(groups, speeds) for speeds in (ratio.ours, ratio.theirs))
    print(
        f"  all scenarios together: {mine:.0f} s, turn by turn {other:.0f} s; {other / mine:.2f} times as fast",
        flush=True,
    )
    return ratio


def _seconds(groups: Sequence[Sequence[TurnCase]], speeds: Sequence[float]) -> float:
    """What all turns of all groups take at those turns per second."""
    return sum(len(group) / speed for group, speed in zip(groups, speeds, strict=True))


def _turns(groups: Sequence[Sequence[TurnCase]], measured: Callable[[Sequence[TurnCase]], float]) -> Iterator[float]:
    yield measured(groups[0][:2])
    for group in groups:
        yield measured(group)


class Bench:
    """Both ways over one loaded file."""

    def __init__(self, host: ModelHost, path: Path, vocabulary: Vocabulary) -> None:
        self._host = host
        self._model = ModelFile.of(path, BASE)
        self._vocabulary = vocabulary
        self._texts: dict[tuple[int, str], str] = {}

    @property
    def compared(self) -> int:
        """Turns that both ways answered."""
        return sum((1, key) in self._texts for way, key in self._texts if way == 0)

    @property
    def same(self) -> int:
        """Of those: turns with the same text."""
        return sum(self._texts.get((1, key)) == text for (way, key), text in self._texts.items() if way == 0)

    def whole(self, group: Sequence[TurnCase]) -> float:
        """Turns per second as `evaluate` generates and scores them, with nothing in the store."""
        return self._generate(0, [group])

    def one_by_one(self, group: Sequence[TurnCase]) -> float:
        """Turns per second of every third turn, each from an empty cache."""
        return self._generate(1, [[case] for case in group[STRIDE // 2 :: STRIDE]])

    def _generate(self, way: int, groups: Sequence[Sequence[TurnCase]]) -> float:
        with tempfile.TemporaryDirectory() as folder:
            store = RowStore(Path(folder) / "rows.jsonl")
            generator = Generator(self._model, self._host, self._vocabulary, SETTINGS, store)
            started = time.perf_counter()
            rows = generator.generate(groups)
            seconds = time.perf_counter() - started
        self._texts |= {(way, row.key): row.text for row in rows}
        _say(("whole", "one by one")[way], groups[0][0].scenario, rows, seconds)
        return len(rows) / seconds


def _say(way: str, scenario: str, rows: Sequence[GeneratedTurn], seconds: float) -> None:
    read, written = sum(row.prefill_seconds for row in rows), sum(row.decode_seconds for row in rows)
    tokens = sum(row.n_generated for row in rows)
    print(
        f"  {scenario}, {way}: {len(rows)} turns, {seconds:.1f} s: reading {read:.1f} s, "
        f"{tokens} tokens written in {written:.1f} s",
        flush=True,
    )
