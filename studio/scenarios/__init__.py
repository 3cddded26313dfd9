"""The scenario language: parse, check, fix and print the markdown files that a Dungeon Master writes."""

from studio.scenarios.acting import acting_character
from studio.scenarios.batch import CheckConfig, FileReport, bundles, scenario_files, validate_file, validate_paths
from studio.scenarios.checks import RULES, diagnostics_page
from studio.scenarios.checks.rule import Rule
from studio.scenarios.directives import Directive, Problem, Trouble, find_directives, format_directive
from studio.scenarios.exchanges import is_success, read_outcome
from studio.scenarios.fixes import FixedText, apply_fixes, fix_text
from studio.scenarios.formats import WRITERS
from studio.scenarios.grammar import BOM
from studio.scenarios.messages import Message, leaves_choices, to_messages
from studio.scenarios.models import (
    SCENARIO_TYPES,
    Attack,
    Character,
    ConversationTurn,
    Diagnostic,
    Fix,
    Gauge,
    Progress,
    Role,
    Severity,
    Span,
    Speaker,
    SystemContext,
    ToolCall,
    TrainingScenario,
    ValidationResult,
)
from studio.scenarios.parser import MarkdownParser, read_text
from studio.scenarios.results import (
    Mode,
    Modifier,
    ResultLine,
    ResultProblem,
    format_result,
    parse_result_line,
    parse_result_lines,
)
from studio.scenarios.settings import CheckSettings, load_check_settings
from studio.scenarios.sheet import acting_name, bonus_for, dice_for, find_attack
from studio.scenarios.srd import count_of, fold, load_srd
from studio.scenarios.tree import Node, Tree, parse_tree
from studio.scenarios.vocabulary import ABILITIES, Argument, Tool, Vocabulary, load_vocabulary, normalize

__all__ = [
    "ABILITIES",
    "BOM",
    "RULES",
    "SCENARIO_TYPES",
    "WRITERS",
    "Argument",
    "Attack",
    "Character",
    "CheckConfig",
    "CheckSettings",
    "ConversationTurn",
    "Diagnostic",
    "Directive",
    "FileReport",
    "Fix",
    "FixedText",
    "Gauge",
    "MarkdownParser",
    "Message",
    "Mode",
    "Modifier",
    "Node",
    "Problem",
    "Progress",
    "ResultLine",
    "ResultProblem",
    "Role",
    "Rule",
    "Severity",
    "Span",
    "Speaker",
    "SystemContext",
    "Tool",
    "ToolCall",
    "TrainingScenario",
    "Tree",
    "Trouble",
    "ValidationResult",
    "Vocabulary",
    "acting_character",
    "acting_name",
    "apply_fixes",
    "bonus_for",
    "bundles",
    "count_of",
    "diagnostics_page",
    "dice_for",
    "find_attack",
    "find_directives",
    "fix_text",
    "fold",
    "format_directive",
    "format_result",
    "is_success",
    "leaves_choices",
    "load_check_settings",
    "load_srd",
    "load_vocabulary",
    "normalize",
    "parse_result_line",
    "parse_result_lines",
    "parse_tree",
    "read_outcome",
    "read_text",
    "scenario_files",
    "to_messages",
    "validate_file",
    "validate_paths",
]
