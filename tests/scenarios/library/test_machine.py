"""Any sequence of actions agrees with a plain dictionary, and every text that was ever saved can be got back."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from studio.scenarios.library import ScenarioConflictError, ScenarioLibrary, ScenarioMissingError, ScenarioNameError
from studio.scenarios.library.files import revision_of
from studio.workspace import Workspace

from .conftest import ticking

NAMES = st.sampled_from(["a", "A", "b", "long name"])
TYPES = st.sampled_from(["combat", "mixed"])
TEXTS = st.text(alphabet="xy\r\n\ufeff", max_size=6)


class LibraryMachine(RuleBasedStateMachine):
    """The model: id -> text, id -> texts replaced by saving, and the bin."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.library = ScenarioLibrary(Workspace(self.folder), clock=ticking())
        self.texts: dict[str, str] = {}
        self.former: dict[str, set[str]] = {}
        self.bin: dict[str, tuple[str, str, set[str]]] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def taken(self, scenario_id: str, but: str = "") -> bool:
        return scenario_id.lower() in {one.lower() for one in self.texts if one != but}

    @rule(kind=TYPES, name=NAMES, text=TEXTS)
    def create(self, kind: str, name: str, text: str) -> None:
        scenario_id = f"{kind}/{name}"
        try:
            assert self.library.create(kind, name, text).id == scenario_id
            assert not self.taken(scenario_id)
        except ScenarioNameError:
            assert self.taken(scenario_id)
            return
        self.texts[scenario_id], self.former[scenario_id] = text, self.former.get(scenario_id, set())

    @rule(kind=TYPES, name=NAMES, text=TEXTS, stale=st.booleans())
    def save(self, kind: str, name: str, text: str, stale: bool) -> None:
        scenario_id = f"{kind}/{name}"
        now = self.texts.get(scenario_id)
        expected = revision_of(b"something else" if stale or now is None else now.encode())
        if now is None or (stale and now != text):
            with pytest.raises(ScenarioConflictError) as caught:
                self.library.save(scenario_id, text, expected)
            assert (caught.value.stored, caught.value.mine) == (now, text)
            return
        assert self.library.save(scenario_id, text, expected) == revision_of(text.encode())
        if now != text:
            self.former[scenario_id].add(now)
        self.texts[scenario_id] = text

    @rule(kind=TYPES, name=NAMES, text=TEXTS)
    def edit_outside(self, kind: str, name: str, text: str) -> None:
        scenario_id = f"{kind}/{name}"
        if scenario_id in self.texts:
            (self.folder / "data" / "scenarios" / f"{scenario_id}.md").write_bytes(text.encode())
            self.texts[scenario_id] = text

    @rule(old=TYPES, name=NAMES, new=TYPES, new_name=NAMES)
    def rename(self, old: str, name: str, new: str, new_name: str) -> None:
        old_id, new_id = f"{old}/{name}", f"{new}/{new_name}"
        try:
            self.library.rename(old_id, new_name, scenario_type=new)
        except ScenarioMissingError:
            assert old_id not in self.texts
            return
        except ScenarioNameError:
            assert self.taken(new_id, but=old_id)
            return
        self.texts[new_id] = self.texts.pop(old_id)
        self.former[new_id] = self.former.pop(old_id) | self.former.get(new_id, set())

    @rule(kind=TYPES, name=NAMES)
    def delete(self, kind: str, name: str) -> None:
        scenario_id = f"{kind}/{name}"
        try:
            entry = self.library.delete(scenario_id)
        except ScenarioMissingError:
            assert scenario_id not in self.texts
            return
        self.bin[entry.bin_id] = (scenario_id, self.texts.pop(scenario_id), self.former.pop(scenario_id))

    @rule(data=st.data())
    def undelete(self, data: st.DataObject) -> None:
        if not self.bin:
            return
        bin_id = data.draw(st.sampled_from(sorted(self.bin)))
        scenario_id, text, former = self.bin[bin_id]
        try:
            self.library.undelete(bin_id)
        except ScenarioNameError:
            assert self.taken(scenario_id)
            return
        del self.bin[bin_id]
        self.texts[scenario_id], self.former[scenario_id] = text, former | self.former.get(scenario_id, set())

    @rule(kind=TYPES, name=NAMES, data=st.data())
    def restore(self, kind: str, name: str, data: st.DataObject) -> None:
        scenario_id = f"{kind}/{name}"
        if not self.former.get(scenario_id):
            return
        text = data.draw(st.sampled_from(sorted(self.former[scenario_id])))
        now = self.texts[scenario_id]
        self.library.restore_version(scenario_id, revision_of(text.encode()), revision_of(now.encode()))
        self.former[scenario_id] |= {now}
        self.texts[scenario_id] = text

    @invariant()
    def list_and_files_are_the_model(self) -> None:
        entries = self.library.entries()
        assert {one.id for one in entries} == set(self.texts)
        assert {one.id: self.library.read(one.id).text for one in entries} == self.texts
        assert {one.bin_id: one.scenario_id for one in self.library.deleted()} == {
            key: value[0] for key, value in self.bin.items()
        }

    @invariant()
    def every_former_text_can_be_read(self) -> None:
        for scenario_id, texts in self.former.items():
            kept = {self.library.read_version(scenario_id, one.revision) for one in self.library.versions(scenario_id)}
            assert texts <= kept


LibraryMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestAnySequenceOfActions = LibraryMachine.TestCase
