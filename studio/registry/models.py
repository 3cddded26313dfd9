"""What the registry keeps: model versions and deployments, as pages and commands show them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Action = Literal["deploy", "rollback"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class ModelVersion(_Record):
    """One GGUF file by its content. Another content at the same place is another version."""

    id: int
    sha256: str
    path: str = Field(description="Where it was last seen, relative to models/gguf/, with '/' as separator.")
    size: int = Field(description="Bytes.")
    name: str = Field(description="The file's name without its suffix: what `chat` and `models` call it.")
    created: datetime = Field(description="When the file was made, UTC.")
    registered: datetime
    parents: dict[str, str] = Field(description="What it was made from -> SHA-256, from its header; may be empty.")
    approved: datetime | None = Field(None, description="When it was last approved; None if it never was.")
    note: str = Field("", description="The note of that approval.")


class Deployment(_Record):
    """A version put on a channel. The latest one of a channel is the one in force."""

    id: int
    channel: str
    action: Action
    version: ModelVersion
    previous_id: int | None = Field(description="The deployment that a rollback returns to.")
    release: str = Field(description="Its folder in models/deployed/.releases/.")
    deployed: datetime
