"""How much memory a run needs, whether that fits, and how a run goes on that had too little."""
