PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO := benchx-demo

.PHONY: demo picture test test-slow lint install

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: install
	rm -rf $(DEMO)
	$(BIN)/benchx data phantom nih --out $(DEMO)/data/nih --patients 600 --seed 0 --size 256
	$(BIN)/benchx data phantom rsna --out $(DEMO)/data/rsna --patients 600 --seed 1 --size 256
	$(BIN)/benchx data phantom object-cxr --out $(DEMO)/data/object-cxr --patients 300 --seed 2 --size 256
	$(BIN)/benchx data phantom shenzhen --out $(DEMO)/data/shenzhen --patients 200 --seed 4 --size 256
	$(BIN)/benchx data phantom iu-xray --out $(DEMO)/data/iu-xray --patients 200 --seed 3 --size 256
	$(BIN)/benchx data phantom vqa-rad --out $(DEMO)/data/vqa-rad --patients 300 --seed 5 --size 256
	$(BIN)/benchx run --suite phantom --data-root $(DEMO)/data --store $(DEMO)/store
	$(BIN)/benchx leaderboard --suite phantom --store $(DEMO)/store --out $(DEMO)/leaderboard

picture: demo
	cp $(DEMO)/leaderboard/figures/tie-groups--classification--frozen.svg docs/phantom-board.svg

test: install
	$(BIN)/python -m pytest

test-slow: install
	$(BIN)/python -m pytest -m 'slow and not gpu'

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
