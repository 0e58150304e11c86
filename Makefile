# The two commands of the README are `make demo` and `make test`; each installs what it needs into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := OMP_NUM_THREADS=1 $(BIN)/python
TORCH ?= 2.12 2.13 2.14 2.15
QUICK := tests/program tests/enclosure tests/core tests/length tests/certified tests/models tests/automatic/test_automatic_certificate.py
MODEL ?= max-of-4-seed-123
SWEEP_COLUMNS := parameters.n_ctx,parameters.d_vocab,recipe.d_model,seed,model_sha256,sampled_accuracy,measures.faithfulness,strategy,strategy_version,options.share,options.least,options.window,options.groups,options.direct,options.attention,options.residual,options.rivals,options.counting,options.steps,options.reach,numerator,denominator,bound,flops,int_ops,length,by_stage,unexplained_dimension,explanation_size,reading,seconds,package_version

.PHONY: help demo docs gallery test test-full test-lens test-onnx test-torch test-wheel leaderboard entries dist lint bench zoo sweep-data figures golden notebook notebook-lens formal formal-zoo clean

help:           ## Show these targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(VENV)/.installed  ## Prove a frontier of a trained model, check a certificate, write a report into demo/.
	OMP_NUM_THREADS=1 $(BIN)/compact-proofs frontier $(MODEL) --with-brute-force --output demo/$(MODEL) --force
	$(BIN)/compact-proofs prove $(MODEL) --output demo/$(MODEL).cert --force
	$(BIN)/compact-proofs check demo/$(MODEL).cert $(MODEL)

test: $(VENV)/.installed  ## Run the tests (under 15 minutes on 2 cores).
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2

test-full: $(VENV)/.installed  ## Also the long fuzzing and exhaustive checks.
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m 'slow or not slow'

test-lens: $(VENV)-lens-3/.installed $(VENV)-lens-4/.installed  ## Try live models of TransformerLens 3 and 4 (under 10 minutes on 2 cores).
	OMP_NUM_THREADS=1 $(VENV)-lens-3/bin/pytest tests/models/live
	OMP_NUM_THREADS=1 $(VENV)-lens-3/bin/pytest tests/documentation/test_pages.py -k transformer-lens
	OMP_NUM_THREADS=1 $(VENV)-lens-3/bin/pytest tests/test_examples.py -k transformer_lens
	OMP_NUM_THREADS=1 $(VENV)-lens-4/bin/pytest tests/models/live

test-onnx: $(VENV)-onnx/.installed  ## Prove a network that comes from ONNX.
	OMP_NUM_THREADS=1 $(VENV)-onnx/bin/pytest tests/documentation/test_pages.py -k onnx

$(VENV)-onnx/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)-onnx
	$(VENV)-onnx/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
	$(VENV)-onnx/bin/pip install --quiet --disable-pip-version-check --editable '.[onnx]' pytest
	touch $@

test-torch: $(TORCH:%=build/torch-%/.installed)  ## Run a quick suite under each version of torch that is supported (5 GB each).
	for minor in $(TORCH); do OMP_NUM_THREADS=1 build/torch-$$minor/bin/pytest $(QUICK) || exit 1; done

build/torch-%/.installed: pyproject.toml
	$(PYTHON) -m venv build/torch-$*
	build/torch-$*/bin/pip install --quiet --disable-pip-version-check 'torch==$*.*'
	build/torch-$*/bin/pip install --quiet --disable-pip-version-check --editable . pytest hypothesis python-flint 'setuptools>=77'
	touch $@

dist: $(VENV)/.installed  ## Build the packages into dist/: wheel and sdist, and the second package with the large models of the zoo.
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m build --wheel --outdir dist packages/zoo

test-wheel: $(VENV)/.installed  ## Install the wheel in an environment of its own, and follow the first tutorial there.
	$(BIN)/pytest -m slow tests/package

docs: $(VENV)/.installed  ## Build the documentation site into build/site; a warning is an error.
	NO_MKDOCS_2_WARNING=1 OMP_NUM_THREADS=1 $(BIN)/mkdocs build

leaderboard: $(VENV)/.installed  ## Check the certificates in leaderboard/, and rank them in build/leaderboard.
	OMP_NUM_THREADS=1 $(BIN)/compact-proofs leaderboard leaderboard --output build/leaderboard --force

entries: $(VENV)/.installed  ## Make this package's own entries of the leaderboard again.
	$(RUN) -m benchmarks.entries

gallery: $(VENV)/.installed  ## Draw the gallery of the documentation from runs (about 15 minutes).
	$(RUN) -m benchmarks.gallery

$(VENV)-lens-%/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)-lens-$*
	$(VENV)-lens-$*/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
	$(VENV)-lens-$*/bin/pip install --quiet --disable-pip-version-check --editable '.[transformer-lens]' 'transformer-lens==$*.*' pytest hypothesis nbclient nbformat ipykernel
	touch $@

lint: $(VENV)/.installed  ## Check style and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed  ## Measure the figures of the documentation again: bounds, lengths, speed ratios (hours; stop and start it at will).
	$(RUN) -m benchmarks

bench-%: $(VENV)/.installed
	$(RUN) -m benchmarks $* --again

zoo: $(VENV)/.installed  ## Make the models of the zoo again and count their accuracies.
	$(RUN) -m compact_proofs.tasks.build_zoo

sweep-data: $(VENV)/.installed  ## Train and prove what the documentation's figures are made from (about 15 minutes); stop and start it at will.
	mkdir -p build
	$(BIN)/compact-proofs sweep run build/max_of_k_sweep.sqlite --plan docs/data/max_of_k_sweep.toml
	$(BIN)/compact-proofs sweep export build/max_of_k_sweep.sqlite --output docs/data/max_of_k_sweep.csv --force --columns $(SWEEP_COLUMNS)

figures: $(VENV)/.installed  ## Draw the documentation's figures: over seeds from docs/data, and the frontier of the README.
	$(RUN) -m benchmarks.figures
	OMP_NUM_THREADS=1 $(BIN)/compact-proofs frontier max-of-4-seed-123 --with-brute-force --effort 2 --output build/frontier --force
	$(RUN) -m benchmarks.picture build/frontier/frontier.png docs/frontier.png

golden: $(VENV)/.installed  ## Record again what every strategy proves about every model of the zoo (about half an hour).
	$(RUN) -m tests.golden.make

notebook: $(VENV)/.installed  ## Run the tour of examples/ again and store what it shows.
	$(RUN) -m benchmarks.notebook examples/tour.ipynb

notebook-lens: $(VENV)-lens-3/.installed  ## The same for the notebook about TransformerLens.
	OMP_NUM_THREADS=1 $(VENV)-lens-3/bin/python -m benchmarks.notebook examples/transformer_lens.ipynb

formal: $(VENV)/.installed  ## Compile the Coq development, and let Coq check a theorem of each kind (needs Coq: docs/formal.md).
	$(BIN)/compact-proofs formalize $(MODEL) --output build/formal/$(MODEL) --check --force
	$(BIN)/compact-proofs formalize s4-seed-0 --output build/formal/s4-seed-0 --check --force
	$(BIN)/compact-proofs formalize s4-seed-0 -s g-sets-linear --output build/formal/s4-seed-0-circuits --check --force
	$(BIN)/compact-proofs formalize mod-59-mlp-seed-0 -s directions -O clusters=5 --output build/formal/mod-59-directions --check --force
	OMP_NUM_THREADS=1 $(BIN)/compact-proofs formalize finite-max-2-heads -s automatic --output build/formal/finite-max-2-heads --check --force

formal-zoo: bench-formal  ## Let Coq check the theorems of the documentation: the zoo, exhaustively, after tuning (needs Coq).

clean:          ## Remove what these targets made.
	rm -rf $(VENV) $(VENV)-lens-3 $(VENV)-lens-4 $(VENV)-onnx demo dist build
