"""The checks of the scenario language: every diagnostic comes from here."""

from studio.scenarios.checks.catalogue import RULES, diagnostics_page
from studio.scenarios.checks.run import run_checks

__all__ = ["RULES", "diagnostics_page", "run_checks"]
