"""Setup: base models and their licences, this computer, and where the files are."""

import streamlit as st

from pages.parts.base_models import base_models
from pages.parts.layout import begin, header, told, workspace
from studio.machine import GIB, look
from studio.ui.wording import count

begin()
header("Setup", "The base models that training starts from, what this computer can do, and where your files are.")
st.subheader("Base models", anchor=False)
with told():
    base_models()

st.subheader("This computer", anchor=False)
machine = look(workspace())
with st.container(horizontal=True, key="machine"):
    st.metric("Processor cores", machine.cores, border=True)
    st.metric(
        "Memory free",
        f"{machine.memory_available / GIB:.1f} GiB",
        border=True,
        help=f"of {machine.memory_total / GIB:.1f} GiB",
    )
    st.metric("Disk free", f"{machine.disk_free / GIB:.0f} GiB", border=True)
    st.metric("Training arithmetic", "bfloat16" if machine.native_bfloat16 else "float32", border=True,
              help="bfloat16 trains about twice as fast; it needs a processor with AVX512-BF16 or AMX.")  # fmt: skip
gpus = count(machine.gpu_devices, "NVIDIA GPU") if machine.gpu_devices else "no GPU, none needed"
st.caption(f"{machine.processor or 'Unknown processor'} · {gpus}")
for concern in machine.concerns():
    st.warning(concern, icon=":material/warning:")

st.subheader("Where files are", anchor=False)
here = workspace()
folders = {
    "Workspace": here.root,
    "Scenarios": here.scenarios_dir,
    "Base models": here.base_dir,
    "Training runs": here.checkpoints_dir,
    "GGUF files": here.gguf_dir,
    "Drafts, chats, jobs": here.state_dir,
}
st.table({"Folder": list(folders), "Path": [str(one) for one in folders.values()]}, border="horizontal")

st.subheader("Rules of the game", anchor=False)
st.caption(
    "The checks of spells, levels and hit points use the System Reference Document 5.2.1 by Wizards of the Coast LLC, "
    "licensed under the Creative Commons Attribution 4.0 International License."
)
