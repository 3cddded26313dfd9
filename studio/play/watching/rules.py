"""Pydantic models of config/play_rules.yaml: what may be loaded at once, and when to go on with another model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from studio.config import load_settings
from studio.machine import GIB
from studio.workspace import Workspace

Turns = Annotated[int, Field(ge=1, le=1000)]


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HostRules(_Rule):
    """What may be loaded at once."""

    loaded_at_most: int = Field(4, ge=1, le=64)
    memory_share: float = Field(0.5, gt=0, le=1, description="Of the computer's memory.")
    memory_limit_gib: float | None = Field(None, gt=0, description="Instead of the share.")

    def memory_limit_bytes(self, machine_bytes: int) -> int:
        """What all loaded files together may take on a computer with so much memory."""
        return int(self.memory_limit_gib * GIB if self.memory_limit_gib else self.memory_share * machine_bytes)


class CrashRule(_Rule):
    """The model's process was lost at least so often in the last turns."""

    kind: Literal["crashes"]
    at_least: int = Field(ge=1)
    turns: Turns


class SlowRule(_Rule):
    """Every one of the last turns was written more slowly than this."""

    kind: Literal["tokens_per_second"]
    below: float = Field(gt=0)
    turns: Turns


class WaitRule(_Rule):
    """Every one of the last turns let the player wait longer than this for the first word."""

    kind: Literal["ttft_seconds"]
    above: float = Field(gt=0)
    turns: Turns


class MalformedRule(_Rule):
    """More than this share of the last turns' requests could not be understood, of at least so many requests."""

    kind: Literal["malformed"]
    above: float = Field(ge=0, lt=1)
    turns: Turns
    requests: int = Field(8, ge=1)


class MemoryRule(_Rule):
    """The model's process held more than this in every one of the last turns."""

    kind: Literal["memory_gib"]
    above: float = Field(gt=0)
    turns: Turns


Rule = Annotated[CrashRule | SlowRule | WaitRule | MalformedRule | MemoryRule, Field(discriminator="kind")]


class Fallback(_Rule):
    """What to go on with in place of the models whose name fits `of`."""

    of: str = Field(min_length=1, description="A name, or a pattern in which * stands for anything.")
    to: str = Field(min_length=1, description="smaller, none, or the name of a model.")


class SwitchRules(_Rule):
    """When to go on with another model, and when not."""

    enabled: bool = True
    rest: int = Field(5, ge=1, description="Turns after a switch in which there is no other.")
    minutes: float = Field(60, gt=0, description="Older turns do not count.")
    return_after: int = Field(0, ge=0, description="Good turns after which the studio goes back; 0: never by itself.")
    fallbacks: tuple[Fallback, ...] = (Fallback(of="*", to="smaller"),)
    rules: tuple[Rule, ...] = ()


class PlayRules(_Rule):
    """The whole file."""

    hosts: HostRules = HostRules()
    window: int = Field(50, ge=1, le=1000, description="Turns of a model that its figures are worked out from.")
    switching: SwitchRules = SwitchRules()


def load_play_rules(workspace: Workspace) -> PlayRules:
    """The workspace's config/play_rules.yaml, else the shipped one. Raises `ConfigError`."""
    return load_settings(PlayRules, workspace.config_file("play_rules.yaml"))
