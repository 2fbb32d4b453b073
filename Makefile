# Every target starts from a fresh machine with Python 3.11: it makes .venv on its first use.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
APT := $(VENV)/.apt
ROS := $(VENV)/.ros
JOBS ?= $(shell nproc)
MAP ?= cologne8

export OMP_NUM_THREADS ?= 1
export PYTHONDONTWRITEBYTECODE :=  # many short processes: compile once

.PHONY: help install ros demo run test check bench benchmark ablation ranking fuzz mutants format clean

help:            ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

install: $(STAMP)  ## make .venv with everything

$(STAMP): constraints.txt setup.py
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt torch  # the exact version first: see constraints.txt
	$(BIN)/pip install --quiet -c constraints.txt -e '.[all,dev]'
	touch $@

$(APT): | $(STAMP)  # a real browser for the report's test
	command -v chromium > /dev/null && command -v chromedriver > /dev/null || \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium chromium-driver > /dev/null; }
	touch $@

ros: $(ROS)      ## add ROS 2 from wheels, and build saferl_msgs

$(ROS): $(STAMP) $(wildcard saferl_msgs/*.* saferl_msgs/*/*)
	command -v cmake > /dev/null && command -v g++ > /dev/null || \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq cmake g++ > /dev/null; }
	$(BIN)/pip install --quiet -c constraints.txt -e '.[ros]'
	$(BIN)/python saferl_msgs/build_from_wheels.py
	touch $@

demo: $(STAMP)   ## record, train, judge and report on a real junction, in four minutes
	$(BIN)/saferl run config/demo.yaml --jobs $(JOBS)

run: $(STAMP)    ## the fuller run on cologne1, in half an hour
	$(BIN)/saferl run config/cologne1.yaml --jobs $(JOBS)

test: $(STAMP) $(APT) $(ROS)  ## every test
	$(BIN)/python -m pytest test --numprocesses 2 --dist loadfile

check: $(STAMP)  ## format, lint, types and the fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest test/unit test/property -q -x --numprocesses 2 \
	  --hypothesis-profile quick

benchmark: $(STAMP)  ## all controllers on one RESCO map: make benchmark MAP=cologne8
	$(BIN)/saferl run config/benchmark/$(MAP).yaml -o runs/benchmark/$(MAP) --jobs $(JOBS)
	$(BIN)/python benchmarks/page.py runs/benchmark/$(MAP)

ablation: $(STAMP)  ## what each part of the learning recipe is worth; hours
	$(BIN)/python benchmarks/ablation.py --jobs $(JOBS)

ranking: $(STAMP)  ## how well off-policy evaluation ranks 24 policies against simulation
	$(BIN)/python benchmarks/ranking.py --jobs $(JOBS)

bench: $(STAMP) $(ROS)  ## speed, as ratios measured side by side in one run
	$(BIN)/python benchmarks/environment.py
	$(BIN)/python benchmarks/ros.py

fuzz: $(STAMP)   ## ten million requests, every lamp read by the monitor
	$(BIN)/python benchmarks/fuzz.py --jobs $(JOBS)

mutants: $(STAMP)  ## plant two hundred faults in the safety core, and show what catches each
	$(BIN)/python benchmarks/mutants.py --jobs $(JOBS)

format: $(STAMP)  ## let ruff format and fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:           ## remove what the targets made, runs excepted
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
