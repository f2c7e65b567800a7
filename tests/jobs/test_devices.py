"""Which devices are there, which of them a worker sees, and who gets which."""

import pytest

from studio.errors import InputError
from studio.jobs.devices import (
    Device,
    environment_for,
    list_devices,
    parse_smi,
    place,
    require_place,
    shown,
    why_never,
)
from studio.jobs.settings import JobSettings

SMI = """0, GPU-aaaa-1, NVIDIA H200, 143771
1, GPU-bbbb-2, NVIDIA H200, 143771
2, GPU-cccc-3, NVIDIA A2, [N/A]
No devices were found
"""
GPUS = parse_smi(SMI)
CPU = Device(id="cpu", name="CPU", visible="")
ALL = (*GPUS, CPU)


def ids(devices):
    return devices if devices is None else [device.id for device in devices]


def test_the_table_of_nvidia_smi_is_read():
    assert ids(GPUS) == ["cuda:0", "cuda:1", "cuda:2"]
    assert [gpu.memory_gib for gpu in GPUS] == [140.4, 140.4, None]
    assert parse_smi("Failed to initialize NVML: Driver/library version mismatch\n") == ()


@pytest.mark.parametrize(
    ("visible", "found"),
    [
        (None, ["cuda:0", "cuda:1", "cuda:2"]),
        ("", []),
        ("-1", []),
        ("2, 0", ["cuda:2", "cuda:0"]),
        ("GPU-bbbb", ["cuda:1"]),
        ("1,9,0", ["cuda:1"]),
        ("0,0", ["cuda:0"]),
        ("MIG-77/1/0", ["cuda:MIG-77/1/0"]),
    ],
)
def test_only_the_visible_gpus_count(visible, found):
    assert ids(shown(GPUS, visible)) == found


@pytest.mark.parametrize(
    ("wanted", "processes", "free", "given"),
    [
        (None, 1, ALL, ["cuda:0"]),
        (None, 2, ALL, ["cuda:0", "cuda:1"]),
        ("cuda:1", 2, ALL, ["cuda:1", "cuda:0"]),
        ("cpu", 4, ALL, ["cpu"]),
        (None, 1, (CPU,), None),  # a GPU becomes free before long; the CPU would take hours
        (None, 3, GPUS[:2], None),
        ("cuda:0", 1, GPUS[1:], None),
        (None, 1, (), None),
    ],
)
def test_a_run_gets_free_devices_or_waits(wanted, processes, free, given):
    assert ids(place(wanted, processes, free, ALL)) == given


def test_without_a_gpu_the_processes_share_the_cpu():
    assert ids(place(None, 2, [CPU], [CPU])) == ["cpu"]
    assert place(None, 1, [], [CPU]) is None


@pytest.mark.parametrize(("wanted", "processes"), [("cuda:9", 1), (None, 4), ("cuda:0", 4)])
def test_a_place_that_will_never_be_is_told(wanted, processes):
    assert why_never(wanted, processes, ALL)
    with pytest.raises(InputError, match="cuda:0"):
        require_place(wanted, processes, ALL)


def test_a_worker_sees_its_devices_and_no_others():
    assert environment_for(GPUS[1:]) == {"CUDA_VISIBLE_DEVICES": "GPU-bbbb-2,GPU-cccc-3"}
    assert environment_for([CPU]) == {"CUDA_VISIBLE_DEVICES": ""}
    # Where no nvidia-smi is, torch may know a GPU of another maker.
    assert environment_for([Device(id="cpu", name="CPU")]) == {}


def test_devices_can_be_named_by_a_setting(monkeypatch):
    monkeypatch.setenv("STUDIO_JOBS_DEVICES", '["cuda:5", "cpu"]')
    named = list_devices(JobSettings())
    assert ids(named) == ["cuda:5", "cpu"] and named[0].visible == "5"


def test_this_machine_has_at_least_a_cpu():
    assert ids(list_devices(JobSettings(devices=())))[-1] == "cpu"
