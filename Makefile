# Two commands: `make run` opens the studio, `make test` proves it. Both set up what they need, once.
PYTHON ?= python3
PORT ?= 8501
VENV := .venv/bin/python

.PHONY: run test check bench reference env test-env setup screenshots docs clean-env

run:            ## set everything up and open the studio on 127.0.0.1:$(PORT)
	@PORT="$(PORT)" "$(PYTHON)" scripts/bootstrap.py run

env:            ## .venv with the pinned dependencies
	@"$(PYTHON)" scripts/bootstrap.py env

setup:          ## env and the embedded base model
	@"$(PYTHON)" scripts/bootstrap.py setup

test-env:       ## setup and what the tests need (test tools, a browser)
	@"$(PYTHON)" scripts/bootstrap.py test-env

test: test-env  ## every test
	$(VENV) -m pytest $(PYTEST_ARGS)

check: test-env ## formatting, lint, types
	$(VENV) -m ruff format --check .
	$(VENV) -m ruff check .
	$(VENV) -m mypy

bench: test-env ## the figures of docs/performance.md (long)
	$(VENV) -m benchmarks

reference: test-env ## the reference run: train, convert, play; rewrites docs/transcripts/
	$(VENV) scripts/reference_run.py

screenshots: test-env ## docs/images from the running app
	$(VENV) scripts/screenshots.py

docs: test-env  ## the generated pages of docs/
	$(VENV) scripts/generate_docs.py
