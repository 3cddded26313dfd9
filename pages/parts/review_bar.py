"""Above the editor, for what was made by play: it waits for review, or has been reviewed and can be trained on."""

from __future__ import annotations

import streamlit as st

from pages.parts.desk_state import Sheet, put, saved, tab
from pages.parts.layout import library, say, told_afterwards, workspace
from studio.scenarios import Severity, TrainingScenario
from studio.scenarios.review import REVIEW, as_reviewed, waits_for_review
from studio.ui.feedback import origin, origin_sentence, run_behind
from studio.ui.wording import count, plain


def review_bar(sheet: Sheet, scenario: TrainingScenario) -> None:
    """Nothing for a scenario that a person wrote. Marking it as reviewed saves it."""
    if REVIEW not in scenario.metadata:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="review_bar", wrap=False):
        if waits_for_review(scenario.metadata):
            _waiting(sheet, scenario)
        else:
            _reviewed(scenario)


def _waiting(sheet: Sheet, scenario: TrainingScenario) -> None:
    errors = sum(one.severity is Severity.ERROR for one in scenario.diagnostics)
    wrong = f" First put right what is wrong: {count(errors, 'error')}." if errors else ""
    st.markdown(
        f":material/rate_review: **It waits for your review.** {plain(origin_sentence(scenario.metadata))}. Nothing is "
        f"learned from it until you have read it; then every reply of the Dungeon Master in it is learned.{wrong}",
        width="stretch",
    )
    st.button(
        "It is right", key="review_done", type="primary", icon=":material/check:", disabled=bool(errors),
        on_click=_mark, args=(sheet,), help="Saves it with `review: done` in its front matter",
    )  # fmt: skip


def _mark(sheet: Sheet) -> None:
    with told_afterwards():
        text = as_reviewed(sheet.text)
        put(sheet.id, text)
        saved(sheet.id, library().save(sheet.id, text, sheet.base_revision, session=tab()))
        say("Reviewed. It is part of the next training.")


def _reviewed(scenario: TrainingScenario) -> None:
    run = run_behind(workspace(), origin(scenario.metadata))
    onto = f" Training can go on from what {plain(run)} learned." if run else ""
    st.markdown(f":material/check: Reviewed.{onto}", width="stretch")
    if st.button(
        "Train on it", key="review_train", icon=":material/model_training:",
        help="Opens Train, with the adapter that played it chosen to begin with" if run else "Opens Train",
    ):  # fmt: skip
        st.switch_page("pages/train.py", query_params={"from": run} if run else {})
