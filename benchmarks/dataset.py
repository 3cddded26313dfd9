"""Thousands of generated scenarios into rows: ours against a plain single-process loop over `datasets.map`.

The loop parses, renders and masks, as we do; we also compare scenarios with each other, split, and check for leaks.
`python -m benchmarks.dataset ours|peer FOLDER COUNT` is one measurement in a process of its own.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from benchmarks.measure import Ratio, peak_memory
from studio.bases import BaseModel, ConversationRenderer, get_base
from studio.dataset import TrainingDataProcessor
from studio.scenarios import SCENARIO_TYPES, MarkdownParser, to_messages
from studio.workspace import PROJECT_ROOT, Workspace

SIZES = (2_000, 8_000)
LIMIT = 2048
ROUNDS = 3
BASE = "smollm2-135m-instruct"
MB = 1e6
Result = TypeVar("Result")
SKILLS = {"perception": 5, "stealth": 7, "athletics": 2, "investigation": 3, "persuasion": 4, "acrobatics": 6}
# fmt: off
_WHO = (
    "guard", "smith", "widow", "clerk", "pilot", "scout", "priest", "baker", "duke", "thief",
    "ranger", "nun", "sailor", "hag", "ogre", "squire", "bard", "miner",
)
_WHAT = (
    "lantern", "ledger", "door", "bell", "rope", "coin", "mask", "key", "map", "bridge", "altar",
    "well", "crate", "ring", "tower", "banner", "knife", "mirror",
)
_HOW = (
    "old", "wet", "silent", "broken", "narrow", "gilded", "burnt", "crooked", "pale", "heavy",
    "hollow", "frozen", "painted", "torn", "warm", "rusty", "dim",
)
_DOES = (
    "hides", "carries", "breaks", "studies", "drops", "guards", "sells", "follows", "paints",
    "buries", "fears", "mends", "steals", "lifts", "names",
)
_WHERE = (
    "market", "cellar", "chapel", "harbour", "mill", "orchard", "crypt", "stable", "attic", "gate",
    "ferry", "tunnel", "library", "camp", "tavern",
)
# fmt: on


def main() -> list[Ratio | str]:
    return [line for size in SIZES for line in compare(size)]


def compare(size: int) -> Iterator[Ratio | str]:
    """Seconds of both for so many scenarios, and the memory of all our processes together."""
    with tempfile.TemporaryDirectory() as folder:
        write_scenarios(Path(folder) / "scenarios", size)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(measure("ours", Path(folder), size))
            theirs.append(measure("peer", Path(folder), size))
    mine, other = ([one["seconds"] for one in side] for side in (ours, theirs))
    yield Ratio(f"dataset of {size:,} scenarios", "s", mine, other, peer="a loop over datasets.map")
    last, peer = ours[-1], theirs[-1]
    yield (
        f"  processor time {last['cpu_seconds']:.1f} s ({last['cpu_seconds'] / size * 1e3:.2f} ms per scenario of "
        f"{last['tokens'] / size:.0f} tokens), the loop {peer['cpu_seconds']:.1f} s; peak of all processes "
        f"{last['peak_mb']:.0f} MB, the loop {peer['peak_mb']:.0f}; with one more file: {last['again_seconds']:.2f} s"
    )


def write_scenarios(folder: Path, count: int) -> None:
    """Valid scenarios of four types; one in fifty is nearly the same as the one before it."""
    for number in range(count):
        kind = SCENARIO_TYPES[number % len(SCENARIO_TYPES)]
        path = folder / kind / f"{number:06}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(scenario(number), encoding="utf-8")


def scenario(number: int) -> str:
    """The text of a generated scenario; the same number gives the same text."""
    twin = number > 0 and number % 50 == 0
    words = random.Random(number - 1 if twin else number)
    turns = "\n\n".join(_exchange(words) for _ in range(words.randint(4, 8)))
    end = f"<User>I wait.</User>\n\n<DM>{_sentence(words)}</DM>\n" if twin else ""
    return f"{_SYSTEM.format(where=words.choice(_WHERE), what=_sentence(words))}\n{turns}\n\n{end}"


_SYSTEM = """<SYSTEM>
# Role
You are the Dungeon Master of a D&D Campaign

# World
Faerun - a mystical realm filled with ancient magic, diverse races, and endless adventures.

# Location
The {where}. {what}

# Party

## Sarah
- Player Character
- Rogue
- Level 3
- Health: 21/21
- Exp: 1200/2700
- Abilities: Str +0, Dex +3, Con +1, Int +1, Wis +1, Cha +0
- Skills: Perception +5, Stealth +7, Athletics +2, Investigation +3, Persuasion +4, Acrobatics +6
- Inventory: Thieves' Tools, Shortsword, Dagger x2, Leather Armor, 75 gold pieces
</SYSTEM>
"""


def _exchange(words: random.Random) -> str:
    skill, die = words.choice(sorted(SKILLS)), words.randint(2, 19)
    total = die + SKILLS[skill]
    verdict = "*SUCCESS*" if total >= 13 else "*FAILED*"
    return (
        f"<User>I look for the {words.choice(_HOW)} {words.choice(_WHAT)} in the {words.choice(_WHERE)}.</User>\n\n"
        f"<DM>{_sentence(words)} {_sentence(words)}\n\n[roll: {skill}, dc=13]</DM>\n\n"
        f"<TOOLCALL>{skill}: {die} + {SKILLS[skill]}(skill) = *{total}*</TOOLCALL>\n\n"
        f"<DM>{verdict} {_sentence(words)} {_sentence(words)} {_sentence(words)}</DM>"
    )


def _sentence(words: random.Random) -> str:
    one, other = words.choice(_HOW), words.choice(_HOW)
    return (
        f"The {one} {words.choice(_WHO)} {words.choice(_DOES)} the {other} {words.choice(_WHAT)} "
        f"behind the {words.choice(_WHERE)}, and a {words.choice(_WHO)} {words.choice(_DOES)} it."
    )


def measure(which: str, folder: Path, size: int) -> dict[str, float]:
    """Figures of `ours` or the `peer`, in a process of its own, over the scenarios in `folder`/scenarios."""
    command = [sys.executable, "-m", "benchmarks.dataset", which, str(folder), str(size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=PROJECT_ROOT)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _ours(folder: Path, base: BaseModel, size: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=folder) as made:
        processor = TrainingDataProcessor(Workspace(Path(made)), base, LIMIT)
        with peak_memory() as peak:
            seconds, dataset = _timed(lambda: processor.process_scenarios(folder / "scenarios"))
        cpu = _cpu_seconds()
        extra = folder / "scenarios" / "one-more.md"
        extra.write_text(scenario(size + 1), encoding="utf-8")
        again, _ = _timed(lambda: processor.process_scenarios(folder / "scenarios"))
        extra.unlink()
    tokens = sum(one.tokens for one in dataset.manifest.counts.values())
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "again_seconds": again,
        "tokens": tokens,
        "peak_mb": max(peak) / MB,
    }


def _peer(folder: Path, base: BaseModel, size: int) -> dict[str, float]:
    """What a tutorial would write."""
    from datasets import Dataset

    renderer, parser = ConversationRenderer(base.tokenizer(), base.template()), MarkdownParser()

    def row(example: dict[str, str]) -> dict[str, object]:
        scenario = parser.parse_scenario(example["path"])
        rendered = renderer.render(to_messages(scenario))
        return {"input_ids": rendered.ids, "loss_mask": rendered.mask, "type": scenario.scenario_type}

    def work() -> Dataset:
        paths = sorted(str(path) for path in (folder / "scenarios").rglob("*.md"))
        return Dataset.from_dict({"path": paths}).map(row)

    with tempfile.TemporaryDirectory(dir=folder), peak_memory() as peak:
        seconds, dataset = _timed(work)
    return {"seconds": seconds, "cpu_seconds": _cpu_seconds(), "peak_mb": max(peak) / MB, "rows": len(dataset)}


def _cpu_seconds() -> float:
    """Processor time of this process and the children that have ended, starting up included."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _timed(work: Callable[[], Result]) -> tuple[float, Result]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    kind, place, count = sys.argv[1:]
    side = {"ours": _ours, "peer": _peer}[kind]
    print(json.dumps(side(Path(place), get_base(Workspace.find(PROJECT_ROOT), BASE), int(count))))
