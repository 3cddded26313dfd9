"""Other trainers on the same base, rows and LoRA, each in a process and with the packages of its own.

Every module here but this one and `environments` is a script for such a process: it reads a request and writes an
answer, as `benchmarks.peers.exchange` says, and imports nothing else of the project.
"""
