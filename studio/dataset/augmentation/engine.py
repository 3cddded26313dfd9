"""Scenarios -> products: operations applied with seeds, checked as strictly as their parents, refused with a reason.

A product is never made when it has an error, or more warnings of any code than its parent, or when its origin cannot be
read back. No model writes anything here: every word of a product stands in its parent, or in our lists of names.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from studio.dataset.augmentation.difficulty import OtherDifficulty
from studio.dataset.augmentation.levels import OtherLevels
from studio.dataset.augmentation.models import AugmentationPlan, Augmented, Operation, Refused
from studio.dataset.augmentation.no_roll import NoRolls
from studio.dataset.augmentation.party_order import PartyOrder
from studio.dataset.augmentation.provenance import KEY, has_provenance, provenance_of, with_provenance
from studio.dataset.augmentation.renaming import EntityRenaming
from studio.dataset.augmentation.rerolling import RerolledDice
from studio.dataset.augmentation.skill_bonus import OtherSkillBonus
from studio.dataset.augmentation.slots import ParaphraseSlots, expand_slots, has_slots
from studio.errors import DatasetError
from studio.scenarios import Diagnostic, MarkdownParser, Severity, Vocabulary, load_vocabulary

_ALL: tuple[Operation, ...] = (
    ParaphraseSlots(),
    EntityRenaming(),
    RerolledDice(),
    OtherDifficulty(),
    OtherSkillBonus(),
    PartyOrder(),
    OtherLevels(),
    NoRolls(),
)
OPERATIONS: dict[str, Operation] = {one.name: one for one in _ALL}
"""Name -> operation, in the order in which they are best applied together."""
OnRefused = Callable[[Refused], None]


def augment(
    scenarios: Iterable[tuple[str, str]],
    plan: AugmentationPlan,
    seed: int,
    *,
    on_refused: OnRefused | None = None,
    vocabulary: Vocabulary | None = None,
) -> Iterator[Augmented]:
    """The products of some scenarios, in order; the same for the same scenarios, plan and seed.

    Args:
        scenarios: name (path below the folder of scenarios, with `/`) and text of each.
        on_refused: told of every product that was asked for and not made.

    Raises:
        DatasetError: the plan names an operation that does not exist.
    """
    operations_named(plan.operations)
    workshop = _Workshop(vocabulary or load_vocabulary(), on_refused or (lambda _: None))
    for name, text in scenarios:
        yield from workshop.products(name, text, plan, seed)


def made_again(former: Augmented, parent_text: str, vocabulary: Vocabulary | None = None) -> Augmented | Refused:
    """The same product of what its parent says now: its name, operations and seed, checked as any other.

    Raises:
        DatasetError: there is no operation of a name that it gives any more.
    """
    workshop = _Workshop(vocabulary or load_vocabulary(), lambda _: None)
    return workshop.again(former, parent_text)


def operations_named(names: Sequence[str]) -> list[Operation]:
    """The operations of these names.

    Raises:
        DatasetError: there is none of that name.
    """
    if unknown := [name for name in names if name not in OPERATIONS]:
        raise DatasetError(f"There is no operation {unknown[0]!r}.", next_step=f"Choose from: {', '.join(OPERATIONS)}.")
    return [OPERATIONS[name] for name in names]


def apply_operations(
    text: str, names: Sequence[str], seed: int, vocabulary: Vocabulary | None = None
) -> tuple[str, tuple[str, ...]]:
    """The text after the operations, and the names of those that changed it.

    Slots are expanded first, asked for or not: no product has braces.

    Raises:
        DatasetError: there is no operation of that name.
    """
    words, done = vocabulary or load_vocabulary(), list[str]()
    slots = ParaphraseSlots.name
    wanted = [slots, *(name for name in names if name != slots)] if has_slots(text) or slots in names else names
    for operation in operations_named(wanted):
        changed = operation.apply(text, seed, words)
        if changed is not None:
            text = changed
            done.append(operation.name)
    return text, tuple(done)


class _Workshop:
    """Makes products and refuses them."""

    def __init__(self, vocabulary: Vocabulary, on_refused: OnRefused) -> None:
        self._vocabulary, self._on_refused = vocabulary, on_refused
        self._parser = MarkdownParser(vocabulary)

    def products(self, name: str, text: str, plan: AugmentationPlan, seed: int) -> Iterator[Augmented]:
        plain = expand_slots(text)
        if reason := self._unfit(plain):
            self._on_refused(Refused(name, (), reason))
            return
        before, made = self._warnings(plain), {text, plain}
        for recipe in plan.recipes():
            for copy in range(plan.copies):
                own = _seed_of(seed, name, recipe, copy)
                one = self._product(product_name(name, recipe, own), name, text, recipe, own)
                reason = one if isinstance(one, str) else self._fault(one, before, made)
                if reason:
                    self._on_refused(Refused(name, recipe, reason))
                elif isinstance(one, Augmented):
                    yield one

    def again(self, former: Augmented, text: str) -> Augmented | Refused:
        """A product of the name, operations and seed of another one."""
        plain, parent, recipe = expand_slots(text), former.parent, former.operations
        if reason := self._unfit(plain):
            return Refused(parent, (), reason)
        one = self._product(former.name, parent, text, recipe, former.seed)
        reason = one if isinstance(one, str) else self._fault(one, self._warnings(plain), {text, plain})
        return Refused(parent, recipe, reason) if isinstance(one, str) or reason else one

    def _product(self, called: str, name: str, text: str, recipe: tuple[str, ...], seed: int) -> Augmented | str:
        """The product before it is judged, or why there is nothing to judge."""
        changed, done = apply_operations(text, recipe, seed, self._vocabulary)
        if not set(done) & set(recipe):
            return "There is nothing in this scenario that the operation could change."
        return Augmented(called, with_provenance(changed, name, done, seed), name, done, seed)

    def _unfit(self, text: str) -> str:
        """Why a scenario cannot be a parent; empty when it can."""
        if has_provenance(text, self._vocabulary):
            return f"It is itself a product: its front matter has `{KEY}`. Only what an author wrote is augmented."
        errors = self._parser.validate_format(text).errors
        return f"It has an error in line {errors[0].span.line}: {errors[0].message}" if errors else ""

    def _fault(self, one: Augmented, before: Counter[str], made: set[str]) -> str:
        """Why a product is not fit for training; empty when it is. `made` remembers the texts of one parent."""
        bare = one.text.replace(f'"seed": {one.seed}', "", 1)
        if bare in made:
            return "It came out like another copy."
        result = self._parser.validate_format(one.text)
        origin = {"parent": one.parent, "operations": list(one.operations), "seed": one.seed}
        if provenance_of(one.text, self._vocabulary) != origin:
            return "Its origin cannot be written into the front matter."
        if result.errors:
            return f"It would have an error in line {result.errors[0].span.line}: {result.errors[0].message}"
        if has_slots(one.text):
            return "A paraphrase slot in it is nested too deeply to be expanded."
        now = _counted(result.diagnostics)
        if new := now - before:
            first = next(warning for warning in result.warnings if warning.code in new)
            return f"It would have a new warning in line {first.span.line}: {first.message}"
        made.add(bare)
        return ""

    def _warnings(self, text: str) -> Counter[str]:
        return _counted(self._parser.validate_format(text).diagnostics)


def product_name(parent: str, recipe: Sequence[str], seed: int) -> str:
    """`combat/ambush.md` -> `combat/ambush--entity-renaming-6d1f03a2.md`; another seed never takes a reviewed name."""
    path = PurePosixPath(parent)
    what = recipe[0].replace(" ", "-") if len(recipe) == 1 else "augmented"
    return str(path.with_name(f"{path.stem}--{what}-{seed:08x}.md"))


def _counted(diagnostics: Iterable[Diagnostic]) -> Counter[str]:
    return Counter(one.code for one in diagnostics if one.severity is Severity.WARNING)


def _seed_of(seed: int, name: str, recipe: Sequence[str], copy: int) -> int:
    """A seed of its own for every product, the same on every machine; one below 2^31 fits every program."""
    words = "\n".join([str(seed), name, *recipe, str(copy)])
    return int.from_bytes(hashlib.sha256(words.encode(errors="surrogatepass")).digest()[:4], "big") >> 1
