"""The engine of the D&D model studio; importable without Streamlit.

Every capability of the app lives here and is reachable from the pages, from `python -m studio` and from Python.
"""

__version__ = "0.1.0"
