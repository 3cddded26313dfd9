"""Evaluation runs over GGUF files, benchmarks, the report card and the Cactus check."""

from studio.validation.benchmark import BenchmarkReport, BenchmarkSettings, DeviceFit, load_benchmark
from studio.validation.cactus import CactusLevel, CactusReport
from studio.validation.cactus_row import CactusCheck
from studio.validation.card import ModelResult, ModelStamp, ReportCard, load_report
from studio.validation.devices import ALL_DEVICES, SAYS, SAYS_NOT, DeviceRow
from studio.validation.html import report_html
from studio.validation.jobs import HTML_FILE, start_benchmark, start_evaluation
from studio.validation.request import EvaluationSettings
from studio.validation.speed import Measurement, SpeedRow
from studio.validation.validator import ConversationReport, ModelValidator, ToolCallReport
from studio.validation.wording import CHECKS, FIGURES, Wording, difference_text, figure_text

__all__ = [
    "ALL_DEVICES",
    "CHECKS",
    "FIGURES",
    "HTML_FILE",
    "SAYS",
    "SAYS_NOT",
    "BenchmarkReport",
    "BenchmarkSettings",
    "CactusCheck",
    "CactusLevel",
    "CactusReport",
    "ConversationReport",
    "DeviceFit",
    "DeviceRow",
    "EvaluationSettings",
    "Measurement",
    "ModelResult",
    "ModelStamp",
    "ModelValidator",
    "ReportCard",
    "SpeedRow",
    "ToolCallReport",
    "Wording",
    "difference_text",
    "figure_text",
    "load_benchmark",
    "load_report",
    "report_html",
    "start_benchmark",
    "start_evaluation",
]
