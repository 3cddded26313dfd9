"""Models: turn a finished run into a GGUF file, and the files that are there."""

from pages.parts.conversion_panel import conversion_panel
from pages.parts.layout import begin, header, told
from pages.parts.model_list import model_list

begin()
header(
    "Models", "A finished run becomes one GGUF file: small enough for a phone, ready to play anywhere llama.cpp runs."
)
with told():
    conversion_panel()
with told():
    model_list()
