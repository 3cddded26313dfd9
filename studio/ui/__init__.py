"""What the pages show, worked out without Streamlit: words, charts, editor marks, safe HTML. Only pages import it."""
