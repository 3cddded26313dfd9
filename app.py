"""The studio in the browser: navigation only. Start it with `make run`, or `streamlit run app.py`."""

from pages.parts.navigation import navigation

navigation().run()
