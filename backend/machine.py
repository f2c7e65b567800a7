"""Report the machine a worker runs on: its device, and the peak memory used on it.

Torch is imported where a function needs it: a download has no use for it.
"""

import platform
import resource
import sys
from pathlib import Path


def peak_process_gib() -> float:
    """Return the peak resident memory of this process so far, in GiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)


def peak_memory_gib() -> float:
    """Return the peak memory so far, in GiB: of the GPU where there is one, else of the process."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return peak_process_gib()


def free_memory_bytes() -> int | None:
    """Return the memory that programs can still take without swapping; None where it is not told."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kib = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(kib[0]) * 1024 if kib else None


def device_name() -> str:
    """Name the device that computes: the GPU, or the CPU and its number of threads."""
    import torch

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
