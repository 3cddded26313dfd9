"""Datasets: scenarios -> rows of token ids with assistant-only loss, split, fingerprinted and reported."""

from studio.dataset.models import (
    SPLITS,
    DatasetManifest,
    DatasetSettings,
    LeakageReport,
    LeakPair,
    ProcessedDataset,
    ReportRow,
    Split,
    SplitCounts,
    TrainingPair,
    TrainingRow,
)
from studio.dataset.processor import TrainingDataProcessor
from studio.dataset.windows import Cut, Window, cut_conversation

__all__ = [
    "SPLITS",
    "Cut",
    "DatasetManifest",
    "DatasetSettings",
    "LeakPair",
    "LeakageReport",
    "ProcessedDataset",
    "ReportRow",
    "Split",
    "SplitCounts",
    "TrainingDataProcessor",
    "TrainingPair",
    "TrainingRow",
    "Window",
    "cut_conversation",
]
