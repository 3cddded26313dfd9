"""The typed values of augmentation: what an operation is, what is wanted, what came out and what was refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, field_validator

from studio.scenarios import Vocabulary


class Operation(Protocol):
    """One way to make another scenario out of the text of one, without inventing a word of prose."""

    @property
    def name(self) -> str:
        """How provenance and reports call it."""
        ...

    def apply(self, text: str, seed: int, vocabulary: Vocabulary) -> str | None:
        """The changed text, the same for the same arguments; None when there is nothing to do here. Never raises."""
        ...


class AugmentationPlan(BaseModel):
    """Which operations, how often, and whether one after the other on the same copy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    operations: tuple[str, ...] = Field(min_length=1, description="Names of operations, in the order of application.")
    copies: int = Field(1, ge=1, le=100, description="Products of each scenario and recipe, if they differ.")
    together: bool = Field(False, description="All operations on one copy; else a product for each operation.")

    @field_validator("operations")
    @classmethod
    def _once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(names))

    def recipes(self) -> tuple[tuple[str, ...], ...]:
        """The operations of each product."""
        return (self.operations,) if self.together else tuple((one,) for one in self.operations)


@dataclass(frozen=True, slots=True)
class Augmented:
    """A product: a scenario file like any other, with its origin in the front matter.

    `operations` names what was really done; those, the seed and the parent's text give the same bytes again.
    """

    name: str
    text: str
    parent: str
    operations: tuple[str, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A product that was not made, and why; `operations` is what was asked for, empty for a parent that is unfit."""

    parent: str
    operations: tuple[str, ...]
    reason: str
