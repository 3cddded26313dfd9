"""Models: make a GGUF file of a finished run for a device, see what each type costs, and keep the files."""

from pages.parts.conversion_panel import conversion_panel
from pages.parts.layout import begin, header, told
from pages.parts.model_list import model_list
from pages.parts.models_table import models_table
from pages.parts.models_tools import models_tools
from pages.parts.models_work import models_work

begin()
header(
    "Models", "A finished run becomes one GGUF file: small enough for a phone, ready to play anywhere llama.cpp runs."
)
chosen = None
with told():
    chosen = conversion_panel()
with told():
    models_work()
if chosen:
    with told():
        models_table(chosen)
with told():
    model_list()
with told():
    models_tools()
