"""Augmentation that keeps the truth: more scenarios out of those that were written, without inventing a word."""

from studio.dataset.augmentation.engine import (
    OPERATIONS,
    apply_operations,
    augment,
    made_again,
    operations_named,
    product_name,
)
from studio.dataset.augmentation.models import AugmentationPlan, Augmented, Operation, Refused
from studio.dataset.augmentation.party_order import reordered
from studio.dataset.augmentation.provenance import provenance_of, without_provenance
from studio.dataset.augmentation.slots import expand_slots, has_slots
from studio.dataset.augmentation.store import AugmentationStore, Proposal, Status

__all__ = [
    "OPERATIONS",
    "AugmentationPlan",
    "AugmentationStore",
    "Augmented",
    "Operation",
    "Proposal",
    "Refused",
    "Status",
    "apply_operations",
    "augment",
    "expand_slots",
    "has_slots",
    "made_again",
    "operations_named",
    "product_name",
    "provenance_of",
    "reordered",
    "without_provenance",
]
