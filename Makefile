# Two worlds with an environment each in .venv/ (git-ignored). Each target sets up what it needs, and only once.
#   make demo    the module in real CellProfiler, beside IdentifyPrimaryObjects
#   make test    all tests
#   make lint    ruff and mypy
#   make bench   speed and memory, side by side with IdentifyPrimaryObjects; EFFORT=quick, usual or full, DATA=data/bbbc039
#   make peers   StarDist and Cellpose in .venv/peers, which `make bench` then times as well
#   make bundles one zip for each system in dist/, for CellProfiler's installed application; checked and run
#   make test-cellprofiler5   the module in the nightly packages of CellProfiler 5
#   make batch   Snakemake in .venv/batch, for `cpunet batch`
#   make detection   torchvision in .venv/detection, for `cpunet train-detection`; make test-detection runs its tests
#   make clean   remove what was made
# On a machine without an NVIDIA GPU, torch's CPU build saves 4 GB:
#   make test TORCH_INDEX=https://download.pytorch.org/whl/cpu

SHELL := /bin/sh
CELLPROFILER := .venv/cellprofiler
TRAINING := .venv/training
RUNTIME38 := .venv/runtime38
PEERS := .venv/peers
BATCH := .venv/batch
CELLPROFILER5 := .venv/cellprofiler5
DETECTION := .venv/detection
# The packages that CellProfiler pins are old: with deprecations as errors they cannot be imported.
OLD_PYTEST := -m pytest -W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning \
	-W "ignore:numpy.ndarray size changed"
PIP := -m pip --disable-pip-version-check install --quiet

# Tests run in two processes. One process runs all tests of a file, so that nothing that a file prepares for all its tests
# is prepared twice.
IN_PARALLEL := -n 2 --dist loadscope
# Folders with tests for both worlds: each world collects those that it has the packages for.
BOTH_WORLDS := tests/docs tests/packaging tests/benchmarks
# The runtime's own tests run on the newest and the oldest Python. Where there is no Python 3.8, CellProfiler's runs them.
RUNTIME_IN_CELLPROFILER = $(shell scripts/find_python.sh 3.8 >/dev/null || echo tests/runtime)

.PHONY: demo test test-cellprofiler test-training test-runtime38 test-cellprofiler5 test-detection batch try-batch detection lint bench peers bundles clean

demo: $(CELLPROFILER)/.ready
	@jdk=$$(scripts/need_jdk_and_compiler.sh) && \
	JAVA_HOME="$$jdk" $(CELLPROFILER)/bin/python benchmarks/demo_example_fly.py --output demo-output

test: try-batch test-training test-cellprofiler test-runtime38

batch: $(BATCH)/.ready

# The tests that need Snakemake are skipped where it cannot be installed.
try-batch:
	@$(MAKE) --no-print-directory $(BATCH)/.ready || echo "SKIPPED the tests with Snakemake: it could not be installed"

# The plugin in its host: Python 3.9 or 3.8, no torch.
test-cellprofiler: $(CELLPROFILER)/.ready
	jdk=$$(scripts/need_jdk_and_compiler.sh) && JAVA_HOME="$$jdk" PYTHONPATH=plugins \
		$(CELLPROFILER)/bin/python $(OLD_PYTEST) $(IN_PARALLEL) tests/plugin $(BOTH_WORLDS) $(RUNTIME_IN_CELLPROFILER) tests/window

# The folders with slow tests come first, so that no process ends long after the other. Each process has one core.
test-training: $(TRAINING)/.ready
	OMP_NUM_THREADS=1 $(TRAINING)/bin/python -m pytest $(IN_PARALLEL) --no-loadscope-reorder tests/export tests/training $(BOTH_WORLDS) tests/runtime

# The oldest Python that CellProfiler's installed application has.
test-runtime38:
	@if scripts/find_python.sh 3.8 >/dev/null; then \
		$(MAKE) --no-print-directory $(RUNTIME38)/.ready \
		&& echo "PYTHONPATH=plugins $(RUNTIME38)/bin/python $(OLD_PYTEST) $(IN_PARALLEL) tests/runtime" \
		&& PYTHONPATH=plugins $(RUNTIME38)/bin/python $(OLD_PYTEST) $(IN_PARALLEL) tests/runtime; \
	else \
		echo "SKIPPED the runtime's tests on Python 3.8: no Python 3.8 was found (pyenv install 3.8, or uv python install 3.8)"; \
	fi

# Extra, as its packages change from night to night. Skipped where they cannot be had.
test-cellprofiler5:
	@if $(MAKE) --no-print-directory $(CELLPROFILER5)/.ready; then \
		jdk=$$(scripts/need_jdk_and_compiler.sh) && \
		echo "PYTHONPATH=plugins $(CELLPROFILER5)/bin/python -m pytest -q -W ignore tests/cellprofiler5" && \
		JAVA_HOME="$$jdk" PYTHONPATH=plugins $(CELLPROFILER5)/bin/python -m pytest -q -W ignore tests/cellprofiler5; \
	else \
		echo "SKIPPED the tests in CellProfiler 5: its packages could not be installed, see above"; \
	fi

detection: $(DETECTION)/.ready

# Extra, as torchvision needs another torch than the training environment has.
test-detection: $(DETECTION)/.ready
	OMP_NUM_THREADS=1 $(DETECTION)/bin/python -m pytest tests/training/detection tests/export/detection tests/docs/test_mask_rcnn.py
	OMP_NUM_THREADS=1 $(DETECTION)/bin/python -m pytest tests/docs/test_examples.py -k detection

lint: $(TRAINING)/.ready
	$(TRAINING)/bin/ruff check .
	$(TRAINING)/bin/ruff format --check .
	$(TRAINING)/bin/mypy plugins/cpunet

# How much of speed is measured, and on which real fields; drawn ones by default.
EFFORT ?= usual
DATA ?=
SPEED = -W ignore -m benchmarks.speed $(EFFORT) $(if $(DATA),--data $(DATA))

bench: $(CELLPROFILER)/.ready $(TRAINING)/.ready
	PYTHONPATH=plugins $(CELLPROFILER)/bin/python $(SPEED)
	$(TRAINING)/bin/python $(SPEED)
	@if [ -e $(PEERS)/.ready ]; then \
		echo "PYTHONPATH=plugins $(PEERS)/bin/python $(SPEED)" && PYTHONPATH=plugins $(PEERS)/bin/python $(SPEED); \
	else \
		echo "SKIPPED StarDist and Cellpose: run 'make peers' once (3.5 GB)"; \
	fi
	$(TRAINING)/bin/python -m benchmarks.speed table
	PYTHONPATH=plugins $(CELLPROFILER)/bin/python -m benchmarks.declumping_speed
	$(CELLPROFILER)/bin/python -W ignore benchmarks/memory_flat.py
	-$(CELLPROFILER)/bin/python -W ignore benchmarks/memory_flat.py --primary

peers: $(PEERS)/.ready

# Downloads the published wheels of onnxruntime for each system (80 MB, kept in .cache/wheels). The checks run the zip for
# Linux in a Python with no other packages than those of CellProfiler.
bundles: $(CELLPROFILER)/.ready
	PYTHONPATH=plugins $(CELLPROFILER)/bin/python -m bundles.build_bundles --output dist
	jdk=$$(scripts/need_jdk_and_compiler.sh) && JAVA_HOME="$$jdk" PYTHONPATH=plugins CPUNET_BUNDLES="$(CURDIR)/dist" \
		$(CELLPROFILER)/bin/python $(OLD_PYTEST) tests/packaging/test_bundles.py

clean:
	rm -rf .venv .cache/wheels demo-output dist .pytest_cache .mypy_cache .ruff_cache build *.egg-info

$(CELLPROFILER)/.ready: requirements/cellprofiler-build.txt requirements/cellprofiler.txt
	@python=$$(scripts/need_python.sh 3.9 3.8) && jdk=$$(scripts/need_jdk_and_compiler.sh) && \
	echo "setting up CellProfiler 4.2.8.1 in $(CELLPROFILER) with $$python (some minutes, once)" && \
	rm -rf $(CELLPROFILER) && "$$python" -m venv $(CELLPROFILER) && \
	$(CELLPROFILER)/bin/python $(PIP) -r requirements/cellprofiler-build.txt && \
	JAVA_HOME="$$jdk" $(CELLPROFILER)/bin/python $(PIP) --no-build-isolation python-javabridge==4.0.3 && \
	$(CELLPROFILER)/bin/python $(PIP) -r requirements/cellprofiler.txt && \
	$(CELLPROFILER)/bin/python $(PIP) --no-deps cellprofiler==4.2.8.1 && \
	touch $@

$(TRAINING)/.ready: requirements/training.txt setup.py
	@python=$$(scripts/need_python.sh 3.11) && \
	echo "setting up the training environment in $(TRAINING) with $$python (some minutes, once)" && \
	rm -rf $(TRAINING) && "$$python" -m venv $(TRAINING) && \
	$(TRAINING)/bin/python $(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -r requirements/training.txt && \
	$(TRAINING)/bin/python $(PIP) --no-deps --editable . && \
	touch $@

$(RUNTIME38)/.ready: requirements/runtime38.txt
	@python=$$(scripts/need_python.sh 3.8) && \
	echo "setting up the runtime's environment in $(RUNTIME38) with $$python" && \
	rm -rf $(RUNTIME38) && "$$python" -m venv $(RUNTIME38) && \
	$(RUNTIME38)/bin/python $(PIP) -r requirements/runtime38.txt && \
	touch $@

$(PEERS)/.ready: requirements/peers.txt
	@python=$$(scripts/need_python.sh 3.11) && \
	echo "setting up StarDist and Cellpose in $(PEERS) with $$python (some minutes, once)" && \
	rm -rf $(PEERS) && "$$python" -m venv $(PEERS) && \
	$(PEERS)/bin/python $(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -r requirements/peers.txt && \
	touch $@

$(BATCH)/.ready: requirements/batch.txt
	@python=$$(scripts/need_python.sh 3.11) && \
	echo "setting up Snakemake in $(BATCH) with $$python" && \
	rm -rf $(BATCH) && "$$python" -m venv $(BATCH) && \
	$(BATCH)/bin/python $(PIP) -r requirements/batch.txt && \
	touch $@

$(DETECTION)/.ready: requirements/detection.txt setup.py
	@python=$$(scripts/need_python.sh 3.11) && \
	echo "setting up the environment for Mask R-CNN in $(DETECTION) with $$python (some minutes, once)" && \
	rm -rf $(DETECTION) && "$$python" -m venv $(DETECTION) && \
	$(DETECTION)/bin/python $(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -r requirements/detection.txt && \
	$(DETECTION)/bin/python $(PIP) --no-deps --editable . && \
	touch $@

$(CELLPROFILER5)/.ready: requirements/cellprofiler5.txt requirements/cellprofiler5-packages.txt
	@python=$$(scripts/need_python.sh 3.9) && \
	echo "setting up CellProfiler 5 in $(CELLPROFILER5) with $$python (some minutes, once)" && \
	rm -rf $(CELLPROFILER5) && "$$python" -m venv $(CELLPROFILER5) && \
	$(CELLPROFILER5)/bin/python $(PIP) -r requirements/cellprofiler5.txt && \
	$(CELLPROFILER5)/bin/python $(PIP) --no-deps --pre -r requirements/cellprofiler5-packages.txt && \
	touch $@
