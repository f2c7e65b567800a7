"""The download worker against a real hub that answers well, badly, slowly, or not at all."""

import os
import signal
import subprocess
import sys
import time

import numpy
import pytest
from safetensors.numpy import save_file

from studio import runs
from studio.contract import Progress, Result, event
from studio.modelfiles.folder_check import check_model
from studio.modelfiles.hub_manifest import read_record, verify_hashes
from studio.models import downloads
from studio.system.jsonl import read_lines
from studio.workspace import open_workspace
from tests.support.model_folders import make_model, split
from tests.support.tiny_hub import Hub
from tests.support.tiny_runs import wait_until

WEIGHTS = "model.safetensors"
SIZE = 3_000_000


@pytest.fixture
def workspace(tmp_path):
    return open_workspace(tmp_path / "home")


@pytest.fixture
def repository(tmp_path):
    """A model of 3 MB, whose numbers do not repeat."""
    folder = make_model(tmp_path / "published")
    values = numpy.random.default_rng(0).integers(0, 256, SIZE, dtype=numpy.uint8)
    tensors = {"model.embed_tokens.weight": numpy.zeros((16, 8), dtype=numpy.float16), "x": values}
    save_file(tensors, folder / WEIGHTS)
    return folder


@pytest.fixture
def hub(repository):
    server = Hub({"tiny/model": repository})
    yield server
    server.close()


def prepared(workspace, hub, **changes):
    spec = downloads.download_spec(workspace, "tiny/model", endpoint=hub.url)
    return runs.prepare_job(workspace, spec.model_copy(update={"attempts": 2, **changes}))


def started(job, **environment):
    with (job.folder / "log.txt").open("ab") as log:
        command = [sys.executable, "-m", "backend.download", str(job.folder)]
        return subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **environment})


def ended(workspace, hub, **changes):
    """Run a download to its end: the job and its result."""
    job = prepared(workspace, hub, **changes)
    started(job).wait(60)
    return job, result(job)


def result(job):
    return Result.model_validate_json((job.folder / "result.json").read_bytes())


def told(job):
    return [each for each in read_lines(job.folder / "metrics.jsonl", event) if isinstance(each, Progress)]


def same_files(one, other):
    return all((other / path.name).read_bytes() == path.read_bytes() for path in one.iterdir())


def only(name, way):
    """Behave in that way for one file."""
    return lambda number, asked, start: way if asked == name else ""


def test_a_model_arrives_whole_with_the_hubs_list_beside_it(workspace, hub, repository):
    for name in ("pytorch_model.bin", "modeling_tiny.py", "figure.png", "consolidated.safetensors"):
        (repository / name).write_bytes(b"not wanted")
    (repository / "onnx").mkdir()
    (repository / "onnx" / "model.safetensors").write_bytes(b"not wanted")
    job, outcome = ended(workspace, hub)
    target = workspace.models / "tiny" / "model"
    assert outcome.status == "done", outcome
    assert {path.name for path in target.iterdir()} == {
        "config.json", "tokenizer.json", "tokenizer_config.json", WEIGHTS, "studio_download.json",
    }  # fmt: skip
    assert (target / WEIGHTS).read_bytes() == (repository / WEIGHTS).read_bytes()
    assert check_model(target).ok
    assert (read_record(target).model_id, read_record(target).endpoint) == ("tiny/model", hub.url)
    assert verify_hashes(target).problems == ()
    last = told(job)[-1]
    assert (last.done, last.files_done) == (last.total, last.files) == (last.total, 4)
    assert not downloads.parts(job).exists()
    # What the hub's client wrote for itself is gone, and no cookies of the user's were sent.
    assert all("authorization" not in headers for _, _, headers in hub.requests)


def test_a_connection_that_breaks_again_and_again_goes_on_where_it_broke(workspace, hub):
    hub.behave = only(WEIGHTS, "drop:400000")
    _, outcome = ended(workspace, hub)
    assert outcome.status == "done", outcome
    # More breaks than `attempts`: each brought something.
    assert hub.asked(WEIGHTS) == sorted(hub.asked(WEIGHTS))
    assert len(hub.asked(WEIGHTS)) == 8
    assert hub.asked(WEIGHTS)[-1] == 7 * 400_000


@pytest.mark.parametrize("way", ["500", "drop:0", "stall"])
def test_a_hub_that_gives_nothing_is_given_up_with_the_remedy(workspace, hub, way):
    hub.behave = only(WEIGHTS, way)
    job = prepared(workspace, hub)
    started(job, MODELSCOPE_DOWNLOAD_TIMEOUT="1").wait(60)
    outcome = result(job)
    assert outcome.status == "failed"
    assert hub.url in outcome.message
    assert "镜像" in outcome.remedy
    assert not (workspace.models / "tiny" / "model").exists()
    assert (downloads.parts(job) / "config.json").exists()


def test_a_server_that_knows_no_ranges_sends_the_whole_file_again(workspace, hub, repository):
    ways = iter(["drop:1000000", "no-range"])
    hub.behave = lambda number, name, start: next(ways, "no-range") if name == WEIGHTS else ""
    _, outcome = ended(workspace, hub)
    assert outcome.status == "done", outcome
    assert same_files(repository, workspace.models / "tiny" / "model")


def test_a_file_spoilt_once_is_fetched_again(workspace, hub, repository):
    ways = iter(["drop:1000000", "corrupt"])
    hub.behave = lambda number, name, start: next(ways, "") if name == WEIGHTS else ""
    _, outcome = ended(workspace, hub)
    assert outcome.status == "done", outcome
    assert same_files(repository, workspace.models / "tiny" / "model")
    assert hub.asked(WEIGHTS) == [0, 1_000_000, 0]


@pytest.mark.parametrize("way", ["corrupt", "short"])
def test_a_file_that_stays_spoilt_ends_in_a_clear_failure(workspace, hub, way):
    hub.behave = only(WEIGHTS, way)
    job, outcome = ended(workspace, hub)
    assert outcome.status == "failed"
    assert WEIGHTS in outcome.message
    assert not (workspace.models / "tiny" / "model").exists()
    assert not (downloads.parts(job) / WEIGHTS).exists()
    assert len(hub.asked(WEIGHTS)) <= 4


def under_way(job):
    return any(each.phase == "downloading" and each.done > 300_000 for each in told(job))


def test_a_pause_keeps_what_is_there_and_the_next_download_goes_on(workspace, hub, repository):
    hub.behave = only(WEIGHTS, "slow")
    job = prepared(workspace, hub)
    process = started(job)
    wait_until(lambda: under_way(job))
    (job.folder / "pause").touch()
    process.wait(60)
    assert result(job).status == "paused"
    hub.behave = lambda *_: ""
    _, outcome = ended(workspace, hub)
    assert outcome.status == "done", outcome
    assert hub.asked(WEIGHTS)[1] > 300_000
    assert [name for name, _, _ in hub.requests].count("config.json") == 1
    assert same_files(repository, workspace.models / "tiny" / "model")


def test_a_cancel_reaches_a_download_that_hangs_and_can_throw_its_parts_away(workspace, hub):
    hub.behave = only(WEIGHTS, "stall")
    job = prepared(workspace, hub)
    process = started(job)
    wait_until(lambda: hub.asked(WEIGHTS))
    (job.folder / "discard").touch()
    (job.folder / "cancel").touch()
    process.wait(50)  # before the hub lets go of it
    assert result(job).status == "cancelled"
    assert list(workspace.models.iterdir()) == []


def test_a_killed_download_goes_on_and_finds_what_the_disk_has_spoilt(workspace, hub, repository):
    hub.behave = only(WEIGHTS, "slow")
    job = prepared(workspace, hub)
    process = started(job)
    wait_until(lambda: under_way(job))
    process.send_signal(signal.SIGKILL)
    process.wait()
    partial = next(path for path in downloads.parts(job).iterdir() if path.name.startswith(WEIGHTS))
    damaged = bytearray(partial.read_bytes())
    damaged[1000] ^= 1
    partial.write_bytes(damaged)
    (downloads.parts(job) / "config.json").write_text("{}")
    hub.behave = lambda *_: ""
    _, outcome = ended(workspace, hub)
    assert outcome.status == "done", outcome
    assert same_files(repository, workspace.models / "tiny" / "model")


def test_downloading_again_fetches_only_what_is_bad(workspace, hub, repository):
    ended(workspace, hub)
    target = workspace.models / "tiny" / "model"
    hub.requests.clear()
    ended(workspace, hub)
    assert hub.requests == []
    spoilt = bytearray((target / WEIGHTS).read_bytes())
    spoilt[-1] ^= 1
    (target / WEIGHTS).write_bytes(spoilt)
    (target / "own.txt").write_text("replaced with the folder")
    (problem,) = verify_hashes(target).problems
    assert (problem.code, WEIGHTS in problem.message) == ("hash_mismatch", True)
    ended(workspace, hub)
    assert [name for name, _, _ in hub.requests] == [WEIGHTS]
    assert verify_hashes(target).problems == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / WEIGHTS).rename(folder / "pytorch_model.bin"), "pickle"),
        (lambda folder: (folder / WEIGHTS).rename(folder / "model-q4.gguf"), "GGUF"),
        (lambda folder: (folder / "config.json").rename(folder / "adapter_config.json"), "LoRA"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json"),
        (lambda folder: (folder / WEIGHTS).unlink(), "没有权重"),
    ],
)
def test_what_can_be_no_base_model_is_refused_before_anything_is_fetched(
    workspace, hub, repository, change, said
):
    change(repository)
    _, outcome = ended(workspace, hub)
    assert outcome.status == "failed"
    assert said in outcome.message
    assert hub.requests == []


def test_a_repository_without_all_its_shards_is_refused_before_the_shards(workspace, hub, repository):
    split(repository)
    (repository / "model-00002-of-00002.safetensors").unlink()
    _, outcome = ended(workspace, hub)
    assert "model-00002-of-00002.safetensors" in outcome.message
    assert hub.asked("model-00001-of-00002.safetensors") == []


def test_pickle_weights_and_code_come_only_where_an_admin_allowed_them(workspace, hub, repository):
    (repository / WEIGHTS).rename(repository / "pytorch_model.bin")
    (repository / "modeling_tiny.py").write_text("")
    job = prepared(workspace, hub)
    started(job, STUDIO_ALLOW_UNSAFE=str(workspace.models / "tiny" / "model")).wait(60)
    assert result(job).status == "done", result(job)
    names = {path.name for path in (workspace.models / "tiny" / "model").iterdir()}
    assert {"pytorch_model.bin", "modeling_tiny.py"} <= names


def test_a_full_disk_is_said_before_it_begins(workspace, hub):
    def huge(entries):
        return {
            "Files": [entry | {"Size": 10**15} if entry["Path"] == WEIGHTS else entry for entry in entries]
        }

    hub.listing = huge
    _, outcome = ended(workspace, hub)
    assert "931322.6 GiB" in outcome.message
    assert hub.requests == []


@pytest.mark.parametrize(
    ("listing", "said"),
    [
        (404, "没有模型 tiny/model"),
        (403, "没有下载 tiny/model 的权限"),
        ("<html>welcome to the hotel</html>", "不是 ModelScope 的格式"),
        ({"Files": [{"Path": "../../config.json", "Type": "blob", "Size": 2, "Sha256": "a" * 64}]}, "不安全"),
    ],
)
def test_an_answer_that_is_no_list_is_told_in_words(workspace, hub, listing, said):
    hub.listing = lambda entries: listing
    _, outcome = ended(workspace, hub)
    assert outcome.status == "failed"
    assert said in outcome.message
    assert hub.requests == []


def test_no_network_and_offline_are_said_at_once(workspace, hub):
    hub.close()
    began = time.monotonic()
    _, outcome = ended(workspace, hub)
    assert "连不上" in outcome.message
    assert "models/" in outcome.remedy
    offline = prepared(workspace, hub)
    started(offline, STUDIO_OFFLINE="1").wait(60)
    assert "STUDIO_OFFLINE" in result(offline).message
    assert time.monotonic() - began < 60


def test_a_token_goes_to_the_hub_and_hashes_are_optional(workspace, hub, repository):
    def bare(entries):
        return {"Files": [{key: entry[key] for key in ("Path", "Type", "Size")} for entry in entries]}

    hub.listing = bare
    job = prepared(workspace, hub)
    started(job, MODELSCOPE_API_TOKEN="ms-secret").wait(60)
    assert result(job).status == "done", result(job)
    assert all(headers["authorization"] == "Bearer ms-secret" for _, _, headers in hub.requests)
    assert "ms-secret" not in "".join(path.read_text() for path in job.folder.iterdir() if path.is_file())
    report = verify_hashes(workspace.models / "tiny" / "model")
    assert (report.same, WEIGHTS in report.unknown) == ((), True)
