"""What the model in training writes for a few held-out turns, and whether it asks for the dice of their author.

A rough look while the run goes on, with a handful of turns and short replies. The report card (`studio.validation`)
is the measurement: of the finished file, all turns, with intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList

from studio.bases import BaseModel, ConversationRenderer
from studio.bases.families import load_template
from studio.bases.tokenization import load_tokenizer
from studio.dataset import ProcessedDataset
from studio.jobs import SampleEvent
from studio.metrics import TurnCase, judge_turn, scenario_cases
from studio.scenarios import MarkdownParser, Vocabulary, find_directives, load_vocabulary
from studio.workspace import Workspace

NEW_TOKENS = 64
"""A request stands at the end of a short turn; longer replies are cut."""


@dataclass(frozen=True)
class HeldOutTurns:
    """Asks a model for the turns of `cases`, greedily.

    Attributes:
        max_tokens: longest prompt; a longer one is not asked.
        tell: takes every reply.
    """

    cases: Sequence[TurnCase]
    renderer: ConversationRenderer
    vocabulary: Vocabulary
    max_tokens: int
    tell: Callable[[SampleEvent], object]

    def __call__(self, model: Any, step: int) -> dict[str, float]:
        """Share of the turns with exactly the author's requests (`calls_right`) of how many (`calls_turns`).

        Args:
            step: the optimizer step that the samples belong to.
        """
        prompts = [self.renderer.render(one.context, add_generation_prompt=True) for one in self.cases]
        asked = [(one, p.ids) for one, p in zip(self.cases, prompts, strict=True) if len(p.ids) <= self.max_tokens]
        was_training = model.training
        model.eval()
        right = sum(self._is_right(model, step, case, ids) for case, ids in asked)
        model.train(was_training)
        return {"calls_right": right / len(asked), "calls_turns": len(asked)} if asked else {}

    def _is_right(self, model: Any, step: int, case: TurnCase, ids: Sequence[int]) -> bool:
        text = self._reply(model, ids)
        self.tell(SampleEvent(step=step, prompt=case.context[-1].content, text=text))
        return judge_turn(case, text, self.vocabulary).calls.exact

    def _reply(self, model: Any, ids: Sequence[int]) -> str:
        end = self.renderer.tokenizer.token_to_id(self.renderer.template.end_of_turn.strip())
        prompt = torch.tensor([ids], device=model.device)
        with torch.no_grad():
            output = model.generate(
                input_ids=prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=NEW_TOKENS,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                pad_token_id=0,
                eos_token_id=end,
                stopping_criteria=StoppingCriteriaList([_AsksForDice(self, len(ids))]),
            )
        return self.text(output[0, len(ids) :].tolist())

    def text(self, ids: Sequence[int]) -> str:
        """The text of a reply without its end-of-turn token."""
        return str(self.renderer.tokenizer.decode(ids, skip_special_tokens=True)).strip()

    def asks_for_dice(self, text: str) -> bool:
        """Whether a reply holds a request that the engine would answer now: what follows is never shown in play."""
        return any(one.asks_for_dice for one in find_directives(text, self.vocabulary))


class _AsksForDice(StoppingCriteria):  # type: ignore[misc]
    """Ends a reply where play would: at its first request for dice."""

    def __init__(self, turns: HeldOutTurns, prompt_length: int) -> None:
        self._turns, self._from = turns, prompt_length

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """One answer per row of `input_ids`, `[batch, sequence]`."""
        replies = (self._turns.text(row[self._from :].tolist()) for row in input_ids)
        done = ["]" in reply and self._turns.asks_for_dice(reply) for reply in replies]
        return torch.tensor(done, device=input_ids.device)


def held_out_turns(
    workspace: Workspace,
    base: BaseModel,
    dataset: ProcessedDataset,
    scenarios: Path,
    count: int,
    tell: Callable[[SampleEvent], object],
) -> HeldOutTurns | None:
    """`count` turns of the scenarios that `dataset` holds out; None where there are none (any more).

    Raises:
        BaseModelError: the base's tokenizer cannot be read.
    """
    if not count:
        return None
    vocabulary = load_vocabulary(workspace.config_file("tools.yaml"))
    names = dict.fromkeys(row.source for row in dataset.listing("validation", count=_SCENARIOS))
    files = [path for name in names if (path := _file(workspace, scenarios, name)).is_file()]
    parser = MarkdownParser(vocabulary)
    cases = choose(scenario_cases([parser.parse_scenario(path) for path in files], vocabulary), count)
    renderer = ConversationRenderer(load_tokenizer(base.hf / "tokenizer.json"), load_template(base.family))
    longest = dataset.manifest.settings.max_seq_length
    return HeldOutTurns(cases, renderer, vocabulary, longest, tell) if cases else None


_SCENARIOS = 200
"""Rows of the held-out split that turns are chosen from."""


def choose(cases: Sequence[TurnCase], count: int) -> list[TurnCase]:
    """`count` turns, half of them asking for dice where possible, of as many scenarios as possible."""
    asking, telling = ([one for one in cases if bool(one.expected) == wanted] for wanted in (True, False))
    mixed = chain.from_iterable(zip_longest(_spread(asking), _spread(telling)))
    return [one for one in mixed if one is not None][:count]


def _spread(cases: Sequence[TurnCase]) -> list[TurnCase]:
    """The first turn of every scenario, then the second of every one, and so on."""
    by_scenario: dict[str, list[TurnCase]] = {}
    for one in cases:
        by_scenario.setdefault(one.scenario, []).append(one)
    rounds = zip_longest(*by_scenario.values())
    return [one for found in rounds for one in found if one is not None]


def _file(workspace: Workspace, scenarios: Path, name: str) -> Path:
    """The file of a row's source: `validation/NAME` stands in data/validation/, any other below `scenarios`."""
    held_out = name.removeprefix("validation/")
    return scenarios / name if held_out == name else workspace.validation_dir / held_out
