"""Model versions: approve, deploy to a channel, roll back; kept in SQLite, deployed as a folder per channel."""

from studio.registry.errors import (
    ModelFileChangedError,
    ModelFileMissingError,
    NotApprovedError,
    NothingToRollBackError,
    RegistryBusyError,
    RegistryDamagedError,
    RegistryError,
)
from studio.registry.models import Deployment, ModelVersion
from studio.registry.registry import DEFAULT_CHANNEL, Registry

__all__ = [
    "DEFAULT_CHANNEL",
    "Deployment",
    "ModelFileChangedError",
    "ModelFileMissingError",
    "ModelVersion",
    "NotApprovedError",
    "NothingToRollBackError",
    "Registry",
    "RegistryBusyError",
    "RegistryDamagedError",
    "RegistryError",
]
