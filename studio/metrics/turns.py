"""Everything that is judged of one generated DM turn, as one value that can be written to a file and read again."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from studio.metrics.cases import TurnCase
from studio.metrics.likelihood import Likelihood
from studio.metrics.narrative import NarrativeVerdict, judge_narrative
from studio.metrics.outcome import OutcomeVerdict, judge_outcome
from studio.metrics.tool_calls import CallVerdict, judge_calls
from studio.scenarios import Vocabulary


class TurnVerdict(BaseModel):
    """One generated turn and what was found."""

    model_config = ConfigDict(frozen=True)

    key: str
    scenario: str
    scenario_type: str
    text: str
    finished: bool = Field(True, description="The model ended its turn itself, before the token limit.")
    calls: CallVerdict
    outcome: OutcomeVerdict
    narrative: NarrativeVerdict
    likelihood: Likelihood | None = Field(None, description="Of the author's turn; None where it was not measured.")

    @property
    def right(self) -> bool:
        """What paired tests count: what the turn had to do is done, and no rule finds a fault in how it is told."""
        return self.done and self.narrative.faultless

    @property
    def done(self) -> bool:
        """Some text that the model ended itself, exactly the right calls, a coherent outcome, no invented numbers."""
        told = self.outcome.coherent and not self.outcome.invented
        return bool(self.text.strip()) and self.finished and self.calls.exact and told


def judge_turn(
    case: TurnCase, text: str, vocabulary: Vocabulary, *, finished: bool = True, likelihood: Likelihood | None = None
) -> TurnVerdict:
    """Judge `text` as the DM turn of `case`. Never raises; an empty text is judged like any other.

    Args:
        likelihood: what the model gave to the author's turn; the verdict only carries it on.
    """
    return TurnVerdict(
        key=case.key,
        scenario=case.scenario,
        scenario_type=case.scenario_type,
        text=text,
        finished=finished,
        calls=judge_calls(case, text, vocabulary),
        outcome=judge_outcome(case, text, vocabulary),
        narrative=judge_narrative(case, text),
        likelihood=likelihood,
    )
