"""The library of scenarios: the files of the scenario page, their history, drafts, bin, imports and party forms."""

from studio.scenarios.library.archive import ImportLimits
from studio.scenarios.library.bin import DeletedScenario
from studio.scenarios.library.document import ScenarioDocument
from studio.scenarios.library.drafts import Draft, DraftInfo
from studio.scenarios.library.entries import ScenarioEntry, Stray
from studio.scenarios.library.errors import (
    PartyError,
    ScenarioConflictError,
    ScenarioLibraryError,
    ScenarioMissingError,
    ScenarioNameError,
    SnippetError,
)
from studio.scenarios.library.exporting import export_zip, write_zip
from studio.scenarios.library.history import HistoryLimits, Version, unified_diff
from studio.scenarios.library.importing import (
    Clash,
    ImportedFile,
    ImportReport,
    Upload,
    count_examples,
    import_examples,
    import_files,
)
from studio.scenarios.library.library import ScenarioLibrary
from studio.scenarios.library.merge import Hunk, Merge, merge_texts
from studio.scenarios.library.party import PartyEditor
from studio.scenarios.library.search import SearchHit
from studio.scenarios.library.snippets import (
    Dice,
    Insertion,
    directive_text,
    insert,
    insert_answer,
    insert_otherwise,
    insert_request,
    insert_turn,
    open_requests,
    rolled_line,
)
from studio.scenarios.library.templates import Template, create_from_template, placeholders, templates
from studio.scenarios.library.text_form import editor_text, stored_text

__all__ = [
    "Clash",
    "DeletedScenario",
    "Dice",
    "Draft",
    "DraftInfo",
    "HistoryLimits",
    "Hunk",
    "ImportLimits",
    "ImportReport",
    "ImportedFile",
    "Insertion",
    "Merge",
    "PartyEditor",
    "PartyError",
    "ScenarioConflictError",
    "ScenarioDocument",
    "ScenarioEntry",
    "ScenarioLibrary",
    "ScenarioLibraryError",
    "ScenarioMissingError",
    "ScenarioNameError",
    "SearchHit",
    "SnippetError",
    "Stray",
    "Template",
    "Upload",
    "Version",
    "count_examples",
    "create_from_template",
    "directive_text",
    "editor_text",
    "export_zip",
    "import_examples",
    "import_files",
    "insert",
    "insert_answer",
    "insert_otherwise",
    "insert_request",
    "insert_turn",
    "merge_texts",
    "open_requests",
    "placeholders",
    "rolled_line",
    "stored_text",
    "templates",
    "unified_diff",
    "write_zip",
]
