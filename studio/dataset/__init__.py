"""Datasets: scenarios -> rows of token ids with assistant-only loss, split, fingerprinted and reported."""

from studio.dataset.balancing import Balance, RowFeatures, balance_of
from studio.dataset.models import (
    SPLITS,
    DatasetManifest,
    DatasetSettings,
    LeakageReport,
    LeakPair,
    ProcessedDataset,
    ReportRow,
    RowHead,
    Split,
    SplitCounts,
    TrainingPair,
    TrainingRow,
)
from studio.dataset.processor import TrainingDataProcessor
from studio.dataset.windows import Cut, Window, cut_conversation

__all__ = [
    "SPLITS",
    "Balance",
    "Cut",
    "DatasetManifest",
    "DatasetSettings",
    "LeakPair",
    "LeakageReport",
    "ProcessedDataset",
    "ReportRow",
    "RowFeatures",
    "RowHead",
    "Split",
    "SplitCounts",
    "TrainingDataProcessor",
    "TrainingPair",
    "TrainingRow",
    "Window",
    "balance_of",
    "cut_conversation",
]
