"""Pieces that several pages draw with. Streamlit lives here and in the pages, nowhere else."""
