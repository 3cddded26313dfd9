"""Model files behind processes: the host with llama.cpp in it, its client, and which files are loaded at once."""
