"""What to write next: the cases that a table needs and the scenarios lack, ranked, and a scenario begun for each.

How often a table needs something is config/coverage.yaml, a judgement and no measurement. A draft is made of a template
and of gaps for the author to fill; no sentence of story is invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from studio.config import load_settings
from studio.dataset.coverage import BANDS, NO_DC, Coverage, Outcome
from studio.scenarios import Tool, Vocabulary
from studio.workspace import PROJECT_ROOT

SHOWN, PER_TOOL = 12, 2
"""Suggestions in a list, and at most so many of one request, so that the list is varied."""
_HARDNESS = {5: "very easy", 10: "easy", 15: "medium", 20: "hard", 25: "very hard", 30: "nearly impossible"}
_ENDS = {"success": "succeed", "failed": "fail"}
ScenarioType = Literal["combat", "roleplay", "exploration", "mixed"]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Need(_Settings):
    """How often a request comes at a table, compared with the others, and where it is at home."""

    weight: float = Field(4, gt=0)
    types: tuple[ScenarioType, ...] = Field(("mixed",), min_length=1)
    without_dc: bool = Field(False, description="The request never names a dc of its own.")
    example: str = Field("", description="The request as it is written, where the name alone is none.")


class Needs(_Settings):
    """The content of config/coverage.yaml."""

    least_requests: int = Field(200, gt=0)
    outcomes: dict[Literal["success", "failed"], float]
    bands: dict[int, float]
    requests: dict[str, Need]

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if unknown := sorted(set(self.bands) - set(BANDS)):
            raise ValueError(f"there is no band {unknown[0]}: they are {', '.join(map(str, BANDS))}")
        if any(one < 0 for one in (*self.bands.values(), *self.outcomes.values())):
            raise ValueError("a share is below 0")
        if not sum(self.bands.values()) or not sum(self.outcomes.values()):
            raise ValueError("the shares are all 0")
        return self

    def need(self, tool: str) -> Need:
        """What is known of a request; an ordinary one when the file does not name it."""
        return self.requests.get(tool, Need())


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One case to write. `outcome` is `untold` for a request that cannot fail; `dc` is None for none.

    `score` = `per_100` x `usual` x `missing`: requests of this kind in 100 at a table, how usual this case of it is
    (its most usual case is 1), and how much of what a set of this size wants is missing (0 to 1).
    """

    tool: str
    spoken: str
    scenario_type: str
    outcome: Outcome
    band: int
    have: int
    wanted: float
    per_100: float
    usual: float
    missing: float
    never_used: bool

    @property
    def score(self) -> float:
        """How much it is worth to write this next."""
        return self.per_100 * self.usual * self.missing

    @property
    def dc(self) -> int | None:
        """The difficulty class to write, None for none."""
        return self.band or None

    @property
    def title(self) -> str:
        """A few words for a list and for the new scenario: `Perception fails at DC 15`."""
        name = self.spoken[:1].upper() + self.spoken[1:]
        if self.outcome == "untold":
            return name
        end = f"{name} {'succeeds' if self.outcome == 'success' else 'fails'}"
        return f"{end} at DC {self.dc}" if self.dc else end

    @property
    def why(self) -> str:
        """Why it is in the list, in a sentence or two."""
        often = f"Of 100 requests at a table about {_rounded(self.per_100)} are for {self.spoken}"
        if self.never_used:
            return f"{often}; nothing asks for it yet."
        case = "" if self.outcome == "untold" else f" that {_ENDS[self.outcome]} {self._where()}"
        return f"{often}. You have {self.have or 'none'}{case}; a set of this size wants about {ceil(self.wanted)}."

    def _where(self) -> str:
        if not self.dc:
            return "with no DC given"
        reach = f"up to {self.dc}" if self.dc == BANDS[0] else f"{self.dc - 4} to {self.dc}"
        return f"when it is {_HARDNESS[self.band]} (DC {reach})"


def load_needs(path: Path | None = None) -> Needs:
    """The needs of a coverage.yaml; the project's own when no path is given.

    Raises:
        ConfigError: the file is missing, not YAML, or holds something that cannot be used.
    """
    return load_settings(Needs, path or PROJECT_ROOT / "config" / "coverage.yaml")


def suggestions(
    coverage: Coverage, needs: Needs, vocabulary: Vocabulary, *, most: int = SHOWN, per_tool: int = PER_TOOL
) -> list[Suggestion]:
    """What to write next, the most worthwhile first; equal ones in the order of the vocabulary."""
    every = [one for one in _cases(coverage, needs, vocabulary) if one.score > 0]
    taken: dict[str, int] = {}
    chosen: list[Suggestion] = []
    for one in sorted(every, key=lambda case: -case.score):
        if taken.get(one.tool, 0) < per_tool and len(chosen) < most:
            taken[one.tool] = taken.get(one.tool, 0) + 1
            chosen.append(one)
    return chosen


def _cases(coverage: Coverage, needs: Needs, vocabulary: Vocabulary) -> Iterable[Suggestion]:
    asked, all_weights = coverage.asked(), sum(needs.need(tool.name).weight for tool in vocabulary.tools)
    size = max(needs.least_requests, asked.total())
    for tool in vocabulary.tools:
        need = needs.need(tool.name)
        shares = _shares(tool, need, needs)
        per_100, largest = 100 * need.weight / all_weights, max(shares.values())
        for (outcome, band), share in shares.items():
            have, wanted = _have(coverage, tool, outcome, band), size * per_100 / 100 * share
            yield Suggestion(
                tool=tool.name,
                spoken=tool.spoken,
                scenario_type=_type(need.types, coverage),
                outcome=outcome,
                band=band,
                have=have,
                wanted=wanted,
                per_100=per_100,
                usual=share / largest,
                missing=max(0.0, 1 - have / wanted) if wanted else 0.0,
                never_used=not asked[tool.name],
            )


def _shares(tool: Tool, need: Need, needs: Needs) -> dict[tuple[Outcome, int], float]:
    """How the requests of a tool divide into cases; the shares add up to 1."""
    if not tool.has_outcome:
        return {("untold", NO_DC): 1.0}
    bands = {NO_DC: 1.0} if need.without_dc else needs.bands
    whole = sum(needs.outcomes.values()) * sum(bands.values())
    return {(end, band): a * b / whole for end, a in needs.outcomes.items() for band, b in bands.items()}


def _have(coverage: Coverage, tool: Tool, outcome: Outcome, band: int) -> int:
    if tool.has_outcome:
        return coverage.requests[tool.name, outcome, band]
    return sum(coverage.requests[tool.name, "untold", any_band] for any_band in BANDS)


def _type(types: Sequence[str], coverage: Coverage) -> str:
    """Where the request is most at home, unless there is a type with less than half as many scenarios."""
    fewest = min(types, key=lambda one: coverage.types[one])
    return fewest if 2 * coverage.types[fewest] < coverage.types[types[0]] else types[0]


def _rounded(number: float) -> str:
    return f"{number:.0f}" if number >= 2 else f"{number:.1f}"
