# make install · make demo · make test · make lint · make bench
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: install demo test lint bench lock clean

install: .venv/installed

demo: .venv/installed
	keepfit demo

test: .venv/installed
	python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: .venv/installed
	ruff check .
	ruff format --check .
	mypy

bench: .venv/installed
	python -m benchmarks.run

clean:
	rm -rf .venv demo

# Every package is pinned with its hashes. What torch itself depends on differs between its CPU and its CUDA
# build, so that comes second, by torch's own pins; that step finds all else installed.
.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	python -m pip install --quiet --require-hashes --no-deps --requirement requirements.lock
	python -m pip install --quiet --no-build-isolation --editable '.[test]'
	touch $@

# uv knows all hashes of the index; the one added is that of the CPU build of torch, which is not on it.
CUDA := cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti nvidia-cuda-nvrtc \
	nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver \
	nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx triton
TORCH_CPU_3_11 := 6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b
lock:
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 --extra test \
		$(addprefix --no-emit-package ,$(CUDA)) pyproject.toml --output-file requirements.lock
	sed -i -e '/$(TORCH_CPU_3_11)/d' -e '/^torch==/a\    --hash=sha256:$(TORCH_CPU_3_11) \\' requirements.lock
