"""Going on from an earlier adapter: all that is new to it in every pass, and some of what it knows, to keep that known.

What an adapter is not shown again it slowly forgets; showing it a part of the old rows beside the new ones (experience
replay, Rolnick et al. 2019) prevents most of that for little time. The old rows come round in turn, each as often.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from studio.dataset import Balance, ProcessedDataset
from studio.training.order import rows_of_pass
from studio.training.parent.learned import Learned
from studio.workspace import atomic_write

REPLAY_FILE = "replay.json"
_Rows = NDArray[np.int64]


@dataclass(frozen=True)
class News:
    """What a training split holds beside what a parent learned: names of scenarios, and numbers of rows."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    known: tuple[str, ...]
    fresh_rows: tuple[int, ...]
    known_rows: tuple[int, ...]


@dataclass(frozen=True)
class Replay:
    """Which rows a run reads in every pass, and from which rows its share of known ones is taken.

    Args:
        share: of a pass that is known rows, 0 to below 1; fewer where there are not so many.
    """

    fresh_rows: tuple[int, ...]
    known_rows: tuple[int, ...]
    share: float


class ReplaySampler(Sampler[int]):  # type: ignore[misc]
    """Numbers of rows for one pass after the other; transformers says with `set_epoch` which pass begins.

    Drawn from seed and pass alone, so that a resumed run reads on where it was.

    Args:
        balance: copies and weights of all rows, if they are balanced; they count among the rows of a pass.
    """

    def __init__(self, replay: Replay, balance: Balance | None, seed: int) -> None:
        self._fresh = _copied(replay.fresh_rows, balance)
        self._known = _copied(replay.known_rows, balance)
        self._weights = balance.weights if balance and balance.copies is None else None
        self.again = rows_again(len(self._fresh), len(self._known), replay.share)
        self._seed, self._epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """The next iteration is pass number `epoch`, counted from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._fresh) + self.again

    def __iter__(self) -> Iterator[int]:
        chosen = np.concatenate([self._fresh, in_turn(self._known, self.again, self._seed, self._epoch)])
        weights = np.ones(len(chosen)) if self._weights is None else self._weights[chosen]
        copies = [1] * len(chosen) if self._weights is None else None
        order = rows_of_pass(Balance(weights / weights.sum(), copies, [], []), self._seed, self._epoch)
        return iter(chosen[order].tolist())


def news_of(dataset: ProcessedDataset, learned: Learned) -> News:
    """Compare the texts of a training split with those learned before. Raises `DatasetError`."""
    sources: list[str] = list(dataset.arrow("train")["source"])
    texts, names = dataset.manifest.scenarios, set(learned.scenarios.values())
    known = {source for source in sources if texts[source] in learned.scenarios}
    fresh = sorted(set(sources) - known)
    return News(
        new=tuple(name for name in fresh if name not in names),
        changed=tuple(name for name in fresh if name in names),
        known=tuple(sorted(known)),
        fresh_rows=tuple(number for number, source in enumerate(sources) if source not in known),
        known_rows=tuple(number for number, source in enumerate(sources) if source in known),
    )


def replay_of(news: News, share: float) -> Replay | None:
    """How to read the rows; None where every pass reads all: nothing is new, nothing is known, or all shall be read."""
    if share >= 1 or not news.fresh_rows or not news.known_rows:
        return None
    return Replay(news.fresh_rows, news.known_rows, share)


def rows_again(fresh: int, known: int, share: float) -> int:
    """How many of the known rows a pass reads so that they are `share` (below 1) of it, all of them at most.

    At least one, unless the share is 0.
    """
    wanted = max(1, round(share / (1 - share) * fresh)) if share else 0
    return min(known, wanted)


def in_turn(rows: _Rows, count: int, seed: int, epoch: int) -> _Rows:
    """`count` of the rows for pass `epoch`: they go round in an order of their own, so each comes equally often."""
    order = np.random.default_rng(seed).permutation(rows)
    return order[(epoch * count + np.arange(count)) % max(1, len(rows))]


def replay_told(news: News, replay: Replay | None, parent: str, again: int) -> str:
    """A sentence for the person who watches.

    Args:
        again: known rows in a pass.
    """
    fresh = len(news.new) + len(news.changed)
    if not fresh:
        return f"No scenario is new or changed since {parent}, so every pass reads all of them."
    said = f"{_scenarios(fresh)} {'are' if fresh > 1 else 'is'} new or changed since {parent}"
    if not news.known:
        return (
            f"{said}, and none of what it learned is here: it may forget some of that. Put old scenarios beside them."
        )
    known = f"the {_scenarios(len(news.known))} it knows already"
    if replay is None:
        return f"{said}; every pass reads {known} as well."
    if not again:
        return f"{said}; {known} are left out (replay_share is 0), so it may forget some of them."
    rows = f"{again} of the {len(news.known_rows)} rows of {known}"
    return f"{said}. Against forgetting, every pass also reads {rows}, others each time."


def keep_replay(run: Path, parent: str, news: News, again: int | None) -> None:
    """Write replay.json: what was new, changed and known; `again` known rows in a pass, None for all."""
    told = {name: value for name, value in asdict(news).items() if not name.endswith("_rows")}
    atomic_write(run / REPLAY_FILE, json.dumps({"parent": parent, **told, "known_rows_in_a_pass": again}, indent=1))


def _scenarios(count: int) -> str:
    return f"{count} scenario{'' if count == 1 else 's'}"


def _copied(rows: tuple[int, ...], balance: Balance | None) -> _Rows:
    """The rows, each as often as a balance with copies reads it."""
    numbers = np.asarray(rows, dtype=np.int64)
    if balance is None or balance.copies is None:
        return numbers
    return np.repeat(numbers, np.asarray(balance.copies)[numbers])
