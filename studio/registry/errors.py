"""What can go wrong in the registry: a gate that says no, a file that is not what it was, a damaged record."""

from __future__ import annotations

from studio.errors import StudioError


class RegistryError(StudioError):
    """A model version cannot be registered, approved, deployed or rolled back. Nothing was changed."""


class NotApprovedError(RegistryError):
    """The version has not been approved."""


class ModelFileMissingError(RegistryError):
    """The file of a version is no longer there."""


class ModelFileChangedError(RegistryError):
    """The file of a version no longer has the content that was registered."""


class NothingToRollBackError(RegistryError):
    """A channel has no deployment, or none before the current one."""


class RegistryBusyError(RegistryError):
    """Another process is deploying and does not come to an end."""


class RegistryDamagedError(RegistryError):
    """The database file is damaged or was made by a newer studio. It was left as it is."""
