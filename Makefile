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

test: test-env  ## every test, or what PYTEST_ARGS names; the browser's tests come last and have the machine to themselves
ifdef PYTEST_ARGS
	$(VENV) -m pytest $(PYTEST_ARGS)
else
	$(VENV) -m pytest -n logical --maxprocesses 4 --ignore tests/e2e; engine=$$?; test $$engine -ne 2 || exit 2; \
	$(VENV) -m pytest tests/e2e && exit $$engine
endif

check: test-env ## formatting, lint, types
	$(VENV) -m ruff format --check .
	$(VENV) -m ruff check .
	$(VENV) -m mypy

bench: test-env ## the figures of docs/performance.md (long)
	$(VENV) -m benchmarks

reference: test-env ## the reference run: train, convert, play, evaluate; rewrites docs/transcripts/ and docs/report/
	$(VENV) scripts/reference_run.py $(ONLY)

screenshots: test-env ## docs/images from the running app
	$(VENV) scripts/screenshots.py

docs: test-env  ## the generated pages of docs/
	$(VENV) scripts/generate_docs.py
