"""One scenario's text -> its rows, what is left out of them and why, and the numbers that tell it from others.

What comes out depends on the text and the `Recipe` alone, so it is kept under the text's SHA-256 and never made twice.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from studio.bases import ConversationRenderer
from studio.bases.families import load_template
from studio.bases.manifest import Family
from studio.bases.tokenization import load_tokenizer
from studio.dataset.lessons import Lessons, SceneLessons
from studio.dataset.models import DatasetSettings, ReportKind
from studio.dataset.windows import Cut, cut_conversation, pair_windows
from studio.dataset.wordprints import run_prints, signature, words_of
from studio.errors import DatasetError
from studio.scenarios import (
    SCENARIO_TYPES,
    MarkdownParser,
    Message,
    TrainingScenario,
    load_check_settings,
    load_vocabulary,
    to_messages,
)
from studio.scenarios.recap import SceneRecap
from studio.scenarios.review import UNREVIEWED, waits_for_review
from studio.scenarios.slots import expand, seed_of

_REQUEST = re.compile(r"\[[^\[\]\n]*\]")


@dataclass(frozen=True)
class Recipe:
    """How rows are made: small enough to be sent to a worker process.

    `tools` and `checks` are the workspace's tools.yaml and diagnostics.yaml: what a request is, and what an error.
    """

    tokenizer_file: Path
    family: Family
    settings: DatasetSettings
    tools: Path
    checks: Path


@dataclass(frozen=True, slots=True)
class Remark:
    """A report row that does not know yet how the scenario is called."""

    kind: ReportKind
    reason: str
    turns: tuple[int, int] | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class PreparedRow:
    """Turns (end exclusive), token ids and loss mask of one row, and what its trained turns teach."""

    turns: tuple[int, int]
    ids: list[int]
    mask: list[bool]
    lessons: Lessons = field(default_factory=Lessons)


@dataclass(slots=True)
class PreparedScenario:
    """Everything a dataset needs of a scenario.

    Attributes:
        scenario_type: as the front matter has it; empty where the folder decides.
        parent: the scenario that an augmented one was made from; empty for any other.
        signature: MinHash values, `wordprints.signature` as bytes.
        prints: hashed runs of words, `wordprints.run_prints` as bytes.
    """

    sha256: str
    scenario_type: str = ""
    parent: str = ""
    rows: list[PreparedRow] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    signature: bytes = b""
    prints: bytes = b""

    def remarks_json(self) -> str:
        """The remarks in the form in which shards keep them."""
        return json.dumps([asdict(one) for one in self.remarks]) if self.remarks else ""


class Preparer:
    """Prepares scenarios with one recipe; loading the tokenizer takes 0.1 to 1 s, so callers keep it."""

    def __init__(self, recipe: Recipe) -> None:
        self._settings = recipe.settings
        self._renderer = ConversationRenderer(load_tokenizer(recipe.tokenizer_file), load_template(recipe.family))
        self._parser = MarkdownParser(load_vocabulary(recipe.tools), load_check_settings(recipe.checks))

    def prepare(self, text: str) -> PreparedScenario:
        """The rows and remarks of a scenario; one that cannot be trained on has a remark instead of rows."""
        scenario = self._parser.parse_text(text)
        prepared = PreparedScenario(
            hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest(),
            _declared_type(scenario.metadata),
            parent_of(scenario.metadata),
        )
        messages = to_messages(scenario, seed_of(text))
        if reason := _unusable(scenario, messages):
            prepared.remarks.append(reason)
            return prepared
        try:
            cut = self._cut(messages)
        except DatasetError as error:
            prepared.remarks.append(Remark("excluded file", f"{error.what} {error.why}".strip()))
            return prepared
        self._fill(prepared, cut, SceneLessons(scenario, self._parser.vocabulary))
        words = words_of(said_at_the_table(scenario))
        prepared.signature, prepared.prints = signature(words).tobytes(), run_prints(words).tobytes()
        return prepared

    def _cut(self, messages: list[Message]) -> Cut:
        recap = SceneRecap(messages, self._parser.vocabulary) if self._settings.recap else None
        cut = pair_windows if self._settings.pairs else cut_conversation
        return cut(messages, self._renderer, self._settings.max_seq_length, recap=recap)

    def _fill(self, prepared: PreparedScenario, cut: Cut, lessons: SceneLessons) -> None:
        limit = self._settings.max_seq_length
        prepared.remarks += [_too_long(turns, tokens, limit) for turns, tokens in cut.too_long]
        for window in cut.windows:
            turns = (window.turns.start, window.turns.stop)
            if any(window.rendered.mask):
                first = turns[1] - 1 if self._settings.pairs else turns[0]  # of a pair, only the last turn is trained
                taught = lessons.within(first, turns[1])
                prepared.rows.append(PreparedRow(turns, window.rendered.ids, window.rendered.mask, taught))
            else:
                prepared.remarks.append(Remark("excluded turns", "They hold no DM turn.", turns))
        if len(cut.windows) > 1 and not self._settings.pairs:
            reason = f"Longer than {limit} tokens: cut into {len(cut.windows)} rows, the system block repeated in each."
            prepared.remarks.append(Remark("split", reason))


def said_at_the_table(scenario: TrainingScenario) -> str:
    """The words of players and Dungeon Master, without the system block, the requests and the dice."""
    said = (expand(turn.content) for turn in scenario.conversation if turn.speaker != "TOOLCALL")
    return _REQUEST.sub(" ", "\n".join(said))


def parent_of(metadata: Mapping[str, object]) -> str:
    """The scenario that this one was made from, as its front matter names it; empty for none."""
    origin = metadata.get("augmentation")
    parent = origin.get("parent") if isinstance(origin, Mapping) else metadata.get("parent")
    return str(parent or "").strip()


def _declared_type(metadata: Mapping[str, object]) -> str:
    declared = str(metadata.get("scenario_type", "")).lower()
    return declared if declared in SCENARIO_TYPES else ""


def _unusable(scenario: TrainingScenario, messages: list[Message]) -> Remark | None:
    if waits_for_review(scenario.metadata):
        return Remark("excluded file", UNREVIEWED)
    if errors := [one for one in scenario.diagnostics if one.severity == "error"]:
        return Remark("excluded file", errors[0].message, line=errors[0].span.line)
    if not any(message.role == "assistant" for message in messages):
        return Remark("excluded file", "It has no DM turn to learn from.")
    return None


def _too_long(turns: range, tokens: int, limit: int) -> Remark:
    reason = (
        f"With the system block these turns take {tokens} tokens, more than the {limit} of a row, and belong together."
    )
    return Remark("excluded turns", reason, (turns.start, turns.stop))
