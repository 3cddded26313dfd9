"""What a scenario means, as typed values: the party, the turns, the tool calls, and what is wrong with the file.

These models hold no positions of the text beyond a line number; the tree (`tree.py`) does.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Speaker = Literal["User", "DM", "TOOLCALL"]
Role = Literal["system", "user", "assistant", "tool"]
SCENARIO_TYPES = ("combat", "roleplay", "exploration", "mixed")


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Gauge(_Value):
    """A pair such as `18/18` of `Health`; any side may be missing."""

    current: int | None = None
    max: int | None = None


class Progress(_Value):
    """Experience so far and the total that the next level needs, as in `Exp: 750/2700`."""

    current: int | None = None
    next_level: int | None = None


class Attack(_Value):
    """One attack of a sheet: `Shortsword +5 (1d6+3)`."""

    name: str
    bonus: int = 0
    damage: str = Field("", description="Dice expression, empty when the sheet does not give one.")


class Character(_Value):
    """A `## Name` section of the party."""

    name: str
    character_type: str = Field("", description="'Player Character', or the NPC type as written.")
    class_name: str = ""
    level: int | None = None
    health: Gauge = Field(default_factory=Gauge)
    experience: Progress = Field(default_factory=Progress)
    inventory: list[str] = Field(default_factory=list)
    stats: dict[str, int] = Field(
        default_factory=dict,
        description="Canonical name -> bonus: 'stealth', 'strength', 'dexterity_save', 'initiative'.",
    )
    spells: list[str] = Field(default_factory=list)
    attacks: list[Attack] = Field(default_factory=list)
    proficiency: int = Field(
        0, description="Added to what the character is proficient in and the sheet has no bonus of."
    )
    proficient: list[str] = Field(default_factory=list, description="Canonical names of skills and saves.")
    armor_class: int | None = None
    spell_save_dc: int | None = None
    spell_slots: dict[int, int] = Field(default_factory=dict, description="Slot level -> slots.")
    notes: list[str] = Field(default_factory=list, description="Bullets that mean nothing to the studio, as written.")

    @property
    def is_player(self) -> bool:
        """Whether a player at the table plays this character."""
        return self.character_type.casefold().replace("-", " ") in {"player character", "pc", "player"}


class SystemContext(_Value):
    """The `<SYSTEM>` block. `text` is the block as written, which is what a model is shown."""

    role: str = ""
    world: str = ""
    location: str = ""
    party: list[Character] = Field(default_factory=list)
    text: str = ""

    def character(self, name: str) -> Character | None:
        """The party member of that name (case and surrounding space do not matter), or None."""
        wanted = name.strip().casefold()
        return next((one for one in self.party if one.name.strip().casefold() == wanted), None)


class ToolCall(_Value):
    """A request of a DM turn by canonical name, or the answer to one in a TOOLCALL turn.

    On a DM turn `result` is the line that answered it (several for an initiative of everyone), None when nothing did.
    """

    tool_name: str
    arguments: dict[str, str] = Field(default_factory=dict)
    result: str | None = None


class ConversationTurn(_Value):
    """One turn; `content` is its text as written, stripped at both ends."""

    speaker: Speaker
    content: str
    tool_calls: list[ToolCall] = Field(default_factory=list)
    line: int = Field(0, description="Line of the opening tag, from 1; 0 when the turn comes from no file.")


class Severity(StrEnum):
    """How bad a diagnostic is; only an error makes a scenario invalid."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Span(BaseModel):
    """A stretch of text: offsets in characters from 0 (end exclusive); lines and columns from 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: int
    end: int
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1


class Fix(BaseModel):
    """A text edit that one click applies: replace the characters `start` to `end` by `text`.

    A fix is safe when it cannot change what the scenario says; `validate --fix` applies only those.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    start: int
    end: int
    text: str
    safe: bool = True


class Diagnostic(BaseModel):
    """One thing to look at in a scenario: where, what, why it matters, and how to fix it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(pattern=r"^[STRW]\d{3}$")
    severity: Severity
    span: Span
    message: str
    why: str = ""
    fix: Fix | None = None


class TrainingScenario(_Value):
    """A whole scenario as training, play and the pages use it."""

    system_context: SystemContext = Field(default_factory=SystemContext)
    conversation: list[ConversationTurn] = Field(default_factory=list)
    scenario_type: str = "mixed"
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="Front matter, plus 'source' when read from a file."
    )
    diagnostics: list[Diagnostic] = Field(default_factory=list)


class ValidationResult(_Value):
    """What checking one text found."""

    diagnostics: list[Diagnostic] = Field(default_factory=list)

    @property
    def valid(self) -> bool:
        """True when there is no error; warnings are allowed."""
        return not self.errors

    @property
    def errors(self) -> list[Diagnostic]:
        """The diagnostics that make the scenario invalid."""
        return [one for one in self.diagnostics if one.severity is Severity.ERROR]

    @property
    def warnings(self) -> list[Diagnostic]:
        """The diagnostics that are worth a look."""
        return [one for one in self.diagnostics if one.severity is Severity.WARNING]
