# The two commands: `make studio` opens the studio, `make test` proves it.
# PYTHON=python3.12     another interpreter (3.11 or newer)
# TORCH_INDEX=URL       an index whose build of torch is taken, e.g. PyTorch's CPU index;
#                       without it torch comes from the default index, which on Linux is a CUDA build
# PORT=8501 HOME_DIR=workspace
# TESTS_AT_ONCE=2       test processes; two fit into two cores and 6 GB

PYTHON ?= python3
PORT ?= 8501
HOME_DIR ?= workspace
TESTS_AT_ONCE ?= 2
VENV := .venv
BIN := $(VENV)/bin
PROOF := .venv-conformance
# Byte-code is compiled on install; imports are three times slower without it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install studio demo test lint fix screenshots conformance ray-test clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "News Studio needs Python 3.11 or newer: make PYTHON=python3.11 studio")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(if $(TORCH_INDEX),$(BIN)/python -m pip install --quiet --constraint constraints.txt --index-url $(TORCH_INDEX) torch)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

studio: install
	$(BIN)/news-studio up --home $(HOME_DIR) --port $(PORT)

demo: install
	$(BIN)/news-studio demo --home $(HOME_DIR)

test: lint
	$(BIN)/python -m pytest -n $(TESTS_AT_ONCE) --dist loadfile --no-loadscope-reorder

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: install
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

screenshots: install
	$(BIN)/python -m docs.images.take

# The real llamafactory, datasets and trl read what we write; two environments, as their pins exclude each other.
conformance: install $(PROOF)/llamafactory/.installed $(PROOF)/trl/.installed
	$(BIN)/python -m pytest tests/conformance $(ARGS)

$(PROOF)/%/.installed: tests/conformance/%.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(if $(TORCH_INDEX),$(@D)/bin/python -m pip install --quiet --index-url $(TORCH_INDEX) torch==2.13.0)
	$(@D)/bin/python -m pip install --quiet --requirement $<
	$(if $(filter llamafactory,$*),$(@D)/bin/python -m pip install --quiet --no-deps llamafactory==0.9.5)
	touch $@

# A real Ray node on loopback; installs the extra (370 MB) into the environment.
ray-test: install
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,ray]'
	$(BIN)/python -m pytest tests/jobs/test_ray_cluster.py $(ARGS)

clean:
	rm -rf $(VENV) $(PROOF) *.egg-info .mypy_cache .ruff_cache .pytest_cache
