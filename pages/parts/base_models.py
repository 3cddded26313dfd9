"""The list of base models, importing one as a job that outlives the page, and the licences."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.parts.job_watch import stop_job
from pages.parts.layout import facts, say, show_error, told, workspace
from studio.bases import BaseEntry, BaseModel, launch_import, licence_text, list_bases
from studio.jobs import Job, list_jobs
from studio.ui.failures import recorded_error
from studio.ui.job_list import SeenJob, import_sentence, look_at, of_kind
from studio.ui.wording import plain, short_hash, size

REFRESH_SECONDS = 1.0


def base_models() -> None:
    """One card per base model: ready, can be fetched, or bring your own folder."""
    imports = {str(one.state.arguments.get("name")): one for one in of_kind(list_jobs(workspace().jobs_dir), "import")}
    for entry in list_bases(workspace()):
        with st.container(border=True, key=f"base_{entry.name}", gap="small"):
            _card(entry, imports.get(entry.name))


def _card(entry: BaseEntry, running: SeenJob | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"base_line_{entry.name}"):
        st.markdown(f"**{plain(entry.title)}**", width="stretch")
        if entry.imported:
            st.badge("ready", color="green", icon=":material/check:")
        elif not entry.downloadable:
            st.badge("your own folder", color="gray", icon=":material/folder:")
    if entry.base:
        _imported(entry.base)
    elif running and not running.state.is_finished:
        st.fragment(_progress, run_every=REFRESH_SECONDS)(running.job)
    else:
        _not_imported(entry, running)


def _imported(base: BaseModel) -> None:
    manifest = base.manifest
    facts(
        [
            ("parameters", f"{manifest.parameters / 1e6:.0f} M"),
            ("size", size(sum(one.bytes for one in manifest.files.values()))),
            ("context", f"{manifest.context_length:,} tokens"),
            ("licence", manifest.licence),
            ("fingerprint", short_hash(base.fingerprint)),
        ]
    )
    if base.licence.exists() and st.button("Read the licence", key=f"licence_{base.name}"):
        _licence(base)


def _not_imported(entry: BaseEntry, former: SeenJob | None) -> None:
    if entry.config:
        st.caption(plain(entry.config.notes) or f"Licence: {plain(entry.config.licence)}")
    if former and former.state.error:
        show_error(recorded_error(former.state.error))
    if entry.downloadable:
        if st.button("Import", key=f"import_{entry.name}", type="primary"):
            _import(entry)
    elif entry.config and st.button("Import a folder", key=f"import_{entry.name}"):
        _import_folder(entry)


def _progress(job: Job) -> None:
    for one in look_at([job]):
        if one.state.is_finished:
            st.rerun()  # the whole page: the card is another one now
        st.progress(one.state.progress.fraction, text=plain(import_sentence(one.state, job.events().events)))
        st.caption("It goes on when you close this page.")
        st.button(
            "Stop", key=f"stop_{one.name}", type="tertiary", on_click=stop_job, args=(job,),
            disabled=one.state.status == "stopping",
        )  # fmt: skip


@st.dialog("Licence", width="large")
def _licence(base: BaseModel) -> None:
    st.code(base.licence.read_text(encoding="utf-8", errors="replace"), language=None, wrap_lines=True)


@st.dialog("Import a base model", width="large")
def _import(entry: BaseEntry) -> None:
    st.markdown(f"**{plain(entry.title)}**")
    st.caption("It is fetched once, checked, and prepared for training. That takes a few minutes.")
    accepted = _terms_accepted(entry)
    if st.button("Import now", type="primary", key=f"import_now_{entry.name}", disabled=not accepted):
        _launch(entry, accepted)


@st.dialog("Import your own folder", width="large")
def _import_folder(entry: BaseEntry) -> None:
    st.markdown(f"**{plain(entry.title)}**")
    written = st.text_input(
        "Folder on this computer", key=f"folder_{entry.name}", placeholder="/home/me/Qwen3-0.6B",
        help="The folder with config.json, tokenizer.json and the .safetensors files. It stays as it is.",
    )  # fmt: skip
    with_gguf = st.checkbox(
        "Make it playable before training, too", value=True, key=f"with_gguf_{entry.name}",
        help="llama.cpp's own converter writes a GGUF file of it. The first time, 77 MB are fetched for that.",
    )  # fmt: skip
    accepted = _terms_accepted(entry)
    ready = accepted and bool((written or "").strip())
    if st.button("Import now", type="primary", key=f"import_now_{entry.name}", disabled=not ready):
        _launch(entry, accepted, Path((written or "").strip()).expanduser(), with_gguf=with_gguf)


def _terms_accepted(entry: BaseEntry) -> bool:
    """Show the terms where they must be accepted; True when they need not be, or are."""
    if not (entry.config and entry.config.licence_acceptance):
        return True
    st.markdown(f"It comes under the {plain(entry.config.licence)}. Read them before you agree.")
    with told(), st.spinner("Fetching the licence"), st.container(height=260, key=f"licence_text_{entry.name}"):
        st.code(licence_text(workspace(), entry.name), language=None, wrap_lines=True)
    return st.checkbox("I have read the terms and accept them", key=f"accept_{entry.name}")


def _launch(entry: BaseEntry, accepted: bool, folder: Path | None = None, *, with_gguf: bool = False) -> None:
    with told():
        launch_import(workspace(), entry.name, accept_licence=accepted, folder=folder, with_gguf=with_gguf)
        say(f"Importing {plain(entry.title)}.")
        st.rerun()
