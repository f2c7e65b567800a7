"""Devices: what a run can be put on, found without torch, and who gets which.

A GPU is named as nvidia-smi numbers it (cuda:0), whatever CUDA_VISIBLE_DEVICES hides
from this process; a worker is shown the GPUs it was given and no others. This module
knows no run.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from studio.errors import InputError
from studio.jobs.settings import JobSettings
from studio.language import say

CPU = "cpu"
_QUERY = ("--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits")
_SMI_SECONDS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One GPU, or the processors; `memory_gib` is None for the latter.

    `visible` is what CUDA_VISIBLE_DEVICES must say for a worker to see it alone; None: leave it.
    """

    id: str
    name: str
    memory_gib: float | None = None
    visible: str | None = None

    @property
    def is_gpu(self) -> bool:
        """Whether it is a GPU."""
        return self.id.startswith("cuda:")


def list_devices(
    settings: JobSettings | None = None, environment: Mapping[str, str] = os.environ
) -> tuple[Device, ...]:
    """List the devices of this machine, GPUs first and always the CPU last."""
    named = (settings or JobSettings()).devices
    gpus = _all_gpus()
    if named:
        known = {gpu.id: gpu for gpu in gpus}
        return tuple(known.get(name) or _named(name) for name in named)
    gpus = shown(gpus, environment.get("CUDA_VISIBLE_DEVICES"))
    # Without nvidia-smi torch may still know a GPU: nothing is hidden from it then.
    return (*gpus, Device(id=CPU, name="CPU", visible="" if gpus else None))


def shown(gpus: Sequence[Device], visible: str | None) -> tuple[Device, ...]:
    """Filter the GPUs by CUDA_VISIBLE_DEVICES, in its order; like CUDA, none after one it does not know."""
    if visible is None:
        return tuple(gpus)
    found: list[Device] = []
    for entry in filter(None, (part.strip() for part in visible.split(","))):
        if entry.startswith("MIG-"):
            match = Device(id=f"cuda:{entry}", name="MIG", visible=entry)
        else:
            match = next((gpu for gpu in gpus if _means(entry, gpu)), None)  # type: ignore[assignment]
        if match is None or match in found:
            break
        found.append(match)
    return tuple(found)


def _means(entry: str, gpu: Device) -> bool:
    assert gpu.visible is not None, gpu
    return entry == gpu.id.removeprefix("cuda:") or (
        entry.startswith("GPU-") and gpu.visible.startswith(entry)
    )


def parse_smi(text: str) -> tuple[Device, ...]:
    """GPUs from the table that nvidia-smi prints for `_QUERY`; other lines are left out."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == 4 and cells[0].isdigit():
            number, uuid, name, memory = cells
            gib = round(float(memory) / 1024, 1) if memory.replace(".", "", 1).isdigit() else None
            # By its uuid: CUDA and nvidia-smi may number differently.
            found.append(Device(id=f"cuda:{number}", name=name, memory_gib=gib, visible=uuid))
    return tuple(found)


@cache
def _all_gpus() -> tuple[Device, ...]:
    """Every GPU of the machine; asked once a process."""
    try:
        asked = subprocess.run(
            ["nvidia-smi", *_QUERY], capture_output=True, text=True, timeout=_SMI_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return parse_smi(asked.stdout) if asked.returncode == 0 else ()


def _named(name: str) -> Device:
    """Make a device that a setting names and nvidia-smi does not know."""
    return Device(id=name, name=name, visible=name.removeprefix("cuda:") if name.startswith("cuda:") else "")


def place(
    wanted: str | None, processes: int, free: Sequence[Device], devices: Sequence[Device]
) -> tuple[Device, ...] | None:
    """Assign free devices to a run; None when it has to wait.

    Each process gets a GPU; on the CPU they share it. Without a wish it is a GPU where
    there is one.
    """
    gpus = [device for device in free if device.is_gpu]
    first = next((device for device in free if device.id == wanted), None) if wanted else None
    if wanted and first is None:
        return None
    if first is None and not any(device.is_gpu for device in devices):
        return tuple(free[:1]) or None
    if first is not None and not first.is_gpu:
        return (first,)
    others = [gpu for gpu in gpus if gpu != first]
    chosen = ([first] if first else []) + others[: processes - (1 if first else 0)]
    return tuple(chosen) if len(chosen) == processes else None


def why_never(wanted: str | None, processes: int, devices: Sequence[Device]) -> str | None:
    """Why no wait would help, in a sentence; None when it is a matter of time."""
    if place(wanted, processes, devices, devices):
        return None
    names = ", ".join(device.id for device in devices)
    if wanted and wanted not in {device.id for device in devices}:
        return say(
            f"没有设备 {wanted}（现有：{names}）。", f"There is no device {wanted}; there are {names}."
        )
    return say(
        f"{processes} 个进程各需一张 GPU，现有：{names}。",
        f"{processes} processes need a GPU each; there are {names}.",
    )


def require_place(wanted: str | None, processes: int, devices: Sequence[Device]) -> None:
    """Nothing when the devices will do.

    Raises:
        InputError: they never will.
    """
    if reason := why_never(wanted, processes, devices):
        raise InputError(
            reason,
            remedy=say(
                "请换一个设备或减少进程数；留空则用下一个空闲设备。",
                "Choose another device or fewer processes; leave it empty for the next free one.",
            ),
        )


def environment_for(placed: Sequence[Device]) -> dict[str, str]:
    """Build the environment in which a worker sees exactly these devices."""
    visible = [device.visible for device in placed if device.visible is not None]
    return {"CUDA_VISIBLE_DEVICES": ",".join(visible)} if visible else {}
