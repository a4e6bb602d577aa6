# make demo: from a clone to a leaderboard.   make test: everything that must hold.
# Both make .venv on first use and install what constraints.txt pins. `make help` lists the variables.

SHELL := /bin/bash
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
PIP_ARGS ?=
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

BIN := $(VENV)/bin
INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) $(PIP_ARGS)
GATED := mini.n=60
STUDIED := 200
STUDY_TASKS := mme,pope,mathvista,mmbench_en
STUDY_DATA = mini.n=$(STUDIED) runs=study_runs
DEMO_MODELS := nano,nano_moe,oracle,constant,chance

.PHONY: demo studies scaling stability test gate baseline help constraints clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    evaluate the shipped models on the mini suite and write a leaderboard"
	@echo "make scaling train a family of small models (core-hours; JOBS=2 at a time) and study how scores grow"
	@echo "make stability whether sparse models of that family use their experts alike"
	@echo "make studies active experts, routing and pruning of the shipped sparse model, as figures and findings"
	@echo "make test    lint, types, architecture and tests, and the gate"
	@echo "make gate    check that the shipped nano model got no worse; make baseline keeps its answers to compare with"
	@echo
	@echo "PYTHON=python3.12   the interpreter for a new environment    VENV=DIR   where it is ($(VENV))"
	@echo "PIP_ARGS=...        further arguments for pip                CONSTRAINTS=   (empty) takes the newest versions allowed"

demo: $(VENV)/.riddle-demo
	$(BIN)/riddle eval -m model=$(DEMO_MODELS) suite=mini
	$(BIN)/riddle report

test: $(VENV)/.riddle-test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto --maxprocesses=8 --dist worksteal --cov=harness.metrics --cov=harness.parsers --cov-branch --cov-report= --cov-fail-under=95
	$(MAKE) gate

gate: $(VENV)/.riddle-test
	$(BIN)/riddle gate policy=.ci/gate.yaml model=nano $(GATED) out=gate_runs/report

# After the weights of nano have changed: asks it anew and writes .ci/nano.json, which is to be committed with them.
baseline: $(VENV)/.riddle-test
	rm -rf gate_runs/baseline
	$(BIN)/riddle eval model=nano task=[mmbench_en,mathvista,docvqa] $(GATED) runs=gate_runs/baseline
	$(BIN)/riddle gate save policy=.ci/gate.yaml candidate=gate_runs/baseline

# The paper's studies of experts on the shipped sparse model; docs/studies/README.md says what they are.
studies: $(VENV)/.riddle-demo
	$(BIN)/riddle eval -m model=nano_moe model.active_experts=1,2,3,4,5,6,7,8 task=[$(STUDY_TASKS)] $(STUDY_DATA)
	$(BIN)/riddle eval model=nano_moe model.trace_routing=tokens task=[$(STUDY_TASKS)] $(STUDY_DATA)
	$(BIN)/riddle eval -m model=nano_moe model.pruned_experts.keep=1,2,3,4,5,6,7 model.pruned_experts.seed=0,1,2 task=[mme,mathvista] $(STUDY_DATA)
	calibration=$$(ls -td study_runs/nano_moe/mmbench_en@mini*/*/traces | head -n 1 | xargs dirname) && \
	$(BIN)/riddle eval -m model=nano_moe model.pruned_experts.keep=4 model.pruned_experts.by=usage,weight,reconstruction,similarity \
	  "model.pruned_experts.runs=[$$calibration]" task=[mme,mathvista] $(STUDY_DATA)
	$(BIN)/riddle study experts
	$(BIN)/riddle study routing
	$(BIN)/riddle study pruning

# Trains and compares a family of small models: five sizes, dense and sparse, three amounts of data, three seeds. POPE is not
# among the benchmarks: its rule reads whatever is no `no` as yes, so that a model that says nothing scores 67.
JOBS := 1
BESIDE = $(if $(filter-out 1,$(JOBS)),hydra/launcher=joblib hydra.launcher.n_jobs=$(JOBS))
SCALED := mmbench_en,mathvista,docvqa,videobench,refcoco_val,gqa,textvqa
scaling: $(VENV)/.riddle-test
	$(BIN)/riddle train -m model=scaling sweep=scaling $(BESIDE)
	$(BIN)/riddle eval -m model=nano model.name=null model.weights=$$(ls -d runs/train/scaling/models/* | paste -sd,) \
	  task=[$(SCALED)] mini.n=100 runs=scaling_runs $(BESIDE)
	$(BIN)/riddle study scaling runs=scaling_runs

# Whether sparse models of other seeds, or of less training, use their experts alike; of the family that make scaling trains.
ALIKE := scale_2m_moe-450x8-1 scale_2m_moe-450x8-2 scale_2m_moe-450x8-3 scale_2m_moe-150x8-1
stability: $(VENV)/.riddle-test
	$(BIN)/riddle eval -m model=nano_moe model.name=null model.weights=$$(echo $(ALIKE:%=runs/train/scaling/models/%) | tr ' ' ,) \
	  model.trace_routing=true task=[mme,mathvista,mmbench_en,refcoco_val] mini.n=80 runs=stability_runs
	$(BIN)/riddle study routing runs=stability_runs out=studies/stability

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "riddle needs Python 3.11 or newer; none was found. Say make PYTHON=/path/to/python"; exit 1; }
	@echo "making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "no environment could be made; on Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/.riddle-demo: pyproject.toml $(wildcard $(CONSTRAINTS)) | $(VENV)/bin/python
	@echo "installing riddle (a few minutes the first time)"
	@$(INSTALL) -e '.[local,video]'
	@touch $@

$(VENV)/.riddle-test: pyproject.toml $(wildcard $(CONSTRAINTS)) | $(VENV)/bin/python
	@echo "installing riddle with its tools (a few minutes the first time)"
	@$(INSTALL) -e '.[local,train,video,corpus,api,serve,jobs,dev]'
	@touch $(VENV)/.riddle-demo $@

# Writes the versions of this environment to constraints.txt: names and versions only.
constraints: $(VENV)/.riddle-test
	@{ echo "# exactly what 'make demo' and 'make test' install; written by 'make constraints'"; \
	  $(BIN)/pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$$//'; } > constraints.txt

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
