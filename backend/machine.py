"""The machine a worker runs on: its device and the memory used on it."""

import platform
from pathlib import Path

import torch

from backend.worker import peak_memory_gib


def memory_gib() -> float:
    """Highest memory used so far: of the GPU where there is one, else of the process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return peak_memory_gib()


def device_name() -> str:
    """What does the computing: the GPUs by name, or the CPU and its number of cores."""
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()} ({torch.version.cuda})"
    return f"CPU {_cpu_name()} x {torch.get_num_threads()}"


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
