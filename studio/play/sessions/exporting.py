"""A played session as a scenario file of the library: valid, or with a list of what a person has to put right.

What is saved waits for review (`review: pending`), so that nothing is trained on that nobody has looked at.
`store.scenario_text` is the session word for word instead, valid or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from studio.errors import PlayError
from studio.play.sessions.mending import mend
from studio.play.sessions.session import ChatMessage, ChatSession
from studio.play.sessions.store import block_text
from studio.scenarios import Diagnostic, MarkdownParser, Vocabulary, load_check_settings
from studio.scenarios.library import ScenarioLibrary
from studio.scenarios.review import PENDING, REVIEW
from studio.workspace import Workspace

_SHOWN_ERRORS = 3


@dataclass(frozen=True)
class PlayedScenario:
    """The text of a scenario, what was taken out of the session for it, and what still makes it invalid."""

    text: str
    notes: tuple[str, ...] = ()
    errors: tuple[Diagnostic, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether a model can learn from it once somebody has looked at it."""
        return not self.errors


def session_scenario(
    workspace: Workspace, session: ChatSession, vocabulary: Vocabulary, *, scenario_type: str = "mixed", title: str = ""
) -> PlayedScenario:
    """The whole session as a scenario. Raises `ConfigError` when the workspace's checks cannot be used."""
    head = {
        "title": title or session.title or session.id,
        "scenario_type": scenario_type,
        "tags": ["played"],
        REVIEW: PENDING,
        "played": origin(session),
    }
    return played_scenario(workspace, session.messages, vocabulary, head)


def played_scenario(
    workspace: Workspace, messages: Sequence[ChatMessage], vocabulary: Vocabulary, front_matter: Mapping[str, Any]
) -> PlayedScenario:
    """Messages as a scenario with that front matter. Raises as `session_scenario`."""
    front = yaml.safe_dump(dict(front_matter), sort_keys=False, allow_unicode=True)
    blocks = "\n\n".join(block_text(one) for one in messages if one.content.strip())
    mended = mend(f"---\n{front}---\n\n{blocks}\n", vocabulary)
    parser = MarkdownParser(vocabulary, load_check_settings(workspace.config_file("diagnostics.yaml")))
    return PlayedScenario(mended.text, mended.notes, tuple(parser.validate_format(mended.text).errors))


def save_played(
    library: ScenarioLibrary, scenario_type: str, title: str, played: PlayedScenario, *, must_be_valid: bool = True
) -> str:
    """Keep it in the library under a free name near its title; gives its id. Nothing is ever overwritten.

    Args:
        must_be_valid: refuse what is not; else it waits for review with its mistakes, which the editor shows.

    Raises:
        PlayError: it is not valid; the sentences say what is wrong.
        ScenarioLibraryError: it cannot be written.
    """
    if must_be_valid and not played.valid:
        raise PlayError(
            "This cannot be learned from as it stands.",
            why=" ".join(f"Line {one.span.line}: {one.message}" for one in played.errors[:_SHOWN_ERRORS]),
            next_step="Change the words. What is wrong in earlier turns can be left out: keep fewer of them.",
        )
    return library.create(scenario_type, library.suggest_name(scenario_type, title), played.text).id


def origin(session: ChatSession) -> dict[str, Any]:
    """Where a text comes from, for its front matter: the session, and the model that spoke."""
    stamp = session.model
    said = {
        "session": session.id,
        "model": stamp.path if stamp else "",
        "model_sha256": stamp.sha256 if stamp else "",
        "adapter": stamp.adapter if stamp else "",
        "adapter_sha256": stamp.adapter_sha256 if stamp else "",
        "run": stamp.parents.get("studio.run", "") if stamp else "",
    }
    return {name: value for name, value in said.items() if value}
