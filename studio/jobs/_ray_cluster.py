"""A run as a job on a Ray cluster: `python -m studio.jobs._ray_cluster RUN_FOLDER`.

This process stands here for the worker that runs there. It holds the lock of `alive`,
hands the run to the cluster, copies the job's words into log.txt and sees to it that
there is a result in the end. It may be killed at any moment: `ray.json` says where the
job is, and the next one goes on watching it. The run folder must be at the same path on
the nodes, on a shared file system; spec, events, checkpoints, wishes and the result
cross there, as they do for a worker of this machine.

Ray is an extra, imported by this process alone. A token for the cluster is found as Ray
finds it: RAY_AUTH_MODE=token with RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH.
"""

import argparse
import logging
import os
import secrets
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from studio import runs
from studio.contract import Result
from studio.errors import ClusterUnavailable, StudioError
from studio.jobs.settings import RaySettings
from studio.language import current_language, say
from studio.runs import Job
from studio.system import processes as workers

log = logging.getLogger(__name__)
T = TypeVar("T")

_SLOW_POLL_SECONDS = 30.0
_RESULT_SECONDS = 10.0
_OVERRIDES = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")
"""Variables with which Ray would answer for another cluster than the one that was named."""


class RayJob(BaseModel):
    """ray.json: where the job is, whether the cluster has it, how many of its characters were copied."""

    address: str
    submission_id: str
    submitted: bool = False
    copied: int = 0


class Ended(BaseException):
    """SIGTERM: the machine goes down, or a cancel was not heeded in time."""


def connect(address: str) -> Any:
    """Ray's client of the cluster's job server.

    Raises:
        ClusterUnavailable: the extra is missing, nothing answers, or the token is refused.
    """
    for name in _OVERRIDES:
        os.environ.pop(name, None)
    try:
        from ray.exceptions import AuthenticationError  # type: ignore[import-not-found, unused-ignore]
        from ray.job_submission import JobSubmissionClient  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise ClusterUnavailable(
            say(f"没有安装 Ray（{error}）。", f"Ray is not installed ({error})."),
            remedy=say(
                "请安装附加依赖：pip install 'news-studio[ray]'，版本与集群一致。",
                "Install the extra: pip install 'news-studio[ray]', in the cluster's version.",
            ),
        ) from error
    try:
        return JobSubmissionClient(address)
    except AuthenticationError as error:
        raise ClusterUnavailable(
            say(f"集群 {address} 拒绝了令牌。", f"The cluster {address} refused the token."),
            remedy=say(
                "请设置 RAY_AUTH_MODE=token 和 RAY_AUTH_TOKEN（或 RAY_AUTH_TOKEN_PATH）后重试。",
                "Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH), then try again.",
            ),
        ) from error
    except (OSError, RuntimeError) as error:
        raise _does_not_answer(address, error) from error


def _does_not_answer(address: str, error: Exception) -> ClusterUnavailable:
    return ClusterUnavailable(
        say(f"Ray 集群 {address} 没有照办：{error}", f"The Ray cluster {address} did not comply: {error}"),
        remedy=say(
            "请检查 STUDIO_RAY_ADDRESS、网络，以及集群的 dashboard 是否在运行。",
            "Check STUDIO_RAY_ADDRESS, the network, and that the cluster's dashboard is up.",
        ),
    )


class ClusterRun:
    """One run on a cluster, from hand-over to result."""

    def __init__(self, folder: Path, settings: RaySettings) -> None:
        self.folder, self.settings = folder, settings
        self.started = time.monotonic()
        self.client: Any = None
        self.said = ""
        self.file = folder / "ray.json"
        if self.file.exists():
            self.job = RayJob.model_validate_json(self.file.read_bytes())
        else:
            name = f"news-studio-{folder.name}-{secrets.token_hex(4)}"
            self.job = RayJob(address=settings.address, submission_id=name)

    def run(self) -> None:
        """Hand the run over unless the cluster has it, and stay until it is over."""
        try:
            if not self.job.submitted:
                self.hand_over()
            while not self.is_over():
                time.sleep(self.settings.poll_seconds if self.client else _SLOW_POLL_SECONDS)
        except Ended:
            self.end()

    def hand_over(self) -> None:
        """Submit the job; before that any error is the run's, for nothing runs yet.

        Raises:
            ClusterUnavailable: nothing was submitted.
        """
        self.client = connect(self.job.address)
        run = runs.read_folder(self.folder)
        self.save()  # before the submission: a job that nobody knows of could not be ended
        try:
            if self.status() is None:
                asked = submission(run, self.settings, self.gpus())
                self.ask(lambda client: client.submit_job(submission_id=self.job.submission_id, **asked))
        except ClusterUnavailable:
            self.file.unlink()
            raise
        self.job.submitted = True
        self.save()
        log.info("%s: job %s", self.job.address, self.job.submission_id)

    def ask(self, question: Callable[[Any], T]) -> T:
        """Ask the cluster's client.

        Raises:
            ClusterUnavailable: it does not answer, or refuses.
        """
        from ray.exceptions import RayError  # type: ignore[import-not-found, unused-ignore]
        from ray.util.state.exception import (  # type: ignore[import-not-found, unused-ignore]
            RayStateApiException,
        )

        try:
            return question(self.client)
        except (OSError, RuntimeError, RayError, RayStateApiException) as error:
            raise _does_not_answer(self.job.address, error) from error

    def gpus(self) -> float:
        """GPUs to reserve for each process."""
        if self.settings.gpus is not None:
            return self.settings.gpus
        from ray.util.state import list_nodes  # type: ignore[import-not-found, unused-ignore]

        nodes = self.ask(lambda _: list_nodes(address=self.job.address, timeout=30))
        return 1.0 if any((node.resources_total or {}).get("GPU") for node in nodes) else 0.0

    def is_over(self) -> bool:
        """Look at the job once; True when it is over and the run has its result.

        What goes wrong from now on is no error of the run's: it may go on over there.
        """
        try:
            self.client = self.client or connect(self.job.address)
            status = self.status()
            if status and status != "PENDING":
                self.copy_words()
            if status == "PENDING" and self.is_cancel_wanted:
                self.ask(lambda client: client.stop_job(self.job.submission_id))
            self.say_once(f"{self.job.address}: {status or 'unknown job'}")
            if status in ("PENDING", "RUNNING"):
                return False
            self.conclude(status)
        except ClusterUnavailable as error:
            self.client = None
            self.say_once(str(error))
            return self.has_result
        return True

    def status(self) -> str | None:
        """Ray's word for where the job is; None when the cluster does not know it.

        Raises:
            ClusterUnavailable: it does not answer, or refuses.
        """
        try:
            return str(self.ask(lambda client: client.get_job_status(self.job.submission_id)))
        except ClusterUnavailable as error:
            if isinstance(error.__cause__, RuntimeError) and "status code 404" in str(error.__cause__):
                return None
            raise

    def copy_words(self) -> None:
        """Append to log.txt what the job said since the last look."""
        words = self.ask(lambda client: client.get_job_logs(self.job.submission_id))
        if len(words) > self.job.copied:
            with (self.folder / "log.txt").open("a", encoding="utf-8") as file:
                file.write(words[self.job.copied :])
            self.job.copied = len(words)
            self.save()

    def conclude(self, status: str | None) -> None:
        """Wait for the result of a job that is over to come through the shared file system, or write one."""
        deadline = time.monotonic() + _RESULT_SECONDS
        while status == "SUCCEEDED" and not self.has_result and time.monotonic() < deadline:
            time.sleep(0.2)
        if self.has_result:
            return
        if self.is_cancel_wanted:
            self.finish("cancelled", say("已在集群上停止。", "Stopped on the cluster."))
            return
        told = self.ask(lambda client: client.get_job_info(self.job.submission_id).message) if status else ""
        self.finish(
            "failed",
            say(
                f"集群上的任务没有留下结果（{status}）。{told}",
                f"The cluster's job left no result ({status}). {told}",
            )
            if status
            else say("集群已不认识这个任务。", "The cluster does not know the job any more."),
            say(
                f"请查看日志；运行文件夹 {self.folder} 必须在各节点的共享文件系统上、路径相同，"
                "节点上须装有 news-studio。",
                f"Read the log; the run folder {self.folder} must be on a file system that the nodes share,"
                " at the same path, and news-studio must be installed there.",
            ),
        )

    def end(self) -> None:
        """SIGTERM: stop the job if it was cancelled; else it goes on and is found again later."""
        if not self.is_cancel_wanted:
            return
        message = say("已在集群上停止。", "Stopped on the cluster.")
        try:
            self.client = self.client or connect(self.job.address)
            if self.status() in ("PENDING", "RUNNING"):
                self.ask(lambda client: client.stop_job(self.job.submission_id))
            self.wait_until_stopped()
        except ClusterUnavailable as error:
            message = say(
                f"集群没有应答，任务 {self.job.submission_id} 可能还在运行：{error}",
                f"The cluster does not answer; job {self.job.submission_id} may still run: {error}",
            )
        if not self.has_result:
            self.finish("cancelled", message)

    def wait_until_stopped(self) -> None:
        """Give the job time to end; whoever sent SIGTERM sends SIGKILL when it takes too long."""
        while self.status() in ("PENDING", "RUNNING"):
            time.sleep(0.2)
        self.copy_words()

    def finish(self, status: Literal["failed", "cancelled"], message: str, remedy: str = "") -> None:
        """Write a result, unless the worker's own has come in the meantime."""
        checkpoints = sorted((self.folder / "checkpoints").glob("step_*"))
        result = Result(
            status=status,
            message=str(message),
            remedy=str(remedy),
            texts={"message": message, "remedy": remedy},
            seconds=time.monotonic() - self.started,
            peak_memory_gib=0,
            checkpoint=str(checkpoints[-1].relative_to(self.folder)) if checkpoints else None,
        )
        draft = self.folder / ".result.json.ray"
        draft.write_text(result.model_dump_json(indent=2), encoding="utf-8")
        try:
            os.link(draft, self.folder / "result.json")
        except FileExistsError:
            log.info("the worker's own result has come")
        draft.unlink()

    def save(self) -> None:
        """Write ray.json in one step."""
        unfinished = self.folder / ".ray.json"
        unfinished.write_text(self.job.model_dump_json(indent=2), encoding="utf-8")
        unfinished.replace(self.file)

    def say_once(self, words: str) -> None:
        """Log what was not logged by the last look."""
        if words != self.said:
            log.info("%s", words)
            self.said = words

    @property
    def has_result(self) -> bool:
        """Whether the run has a result."""
        return (self.folder / "result.json").exists()

    @property
    def is_cancel_wanted(self) -> bool:
        """Whether somebody asked the run to end."""
        return (self.folder / "cancel").exists()


def submission(run: Job, settings: RaySettings, gpus: float) -> dict[str, Any]:
    """Build what the cluster is asked for: command, environment, cores and GPUs of one node.

    Ray takes the command as a line for a shell; every word of it is quoted.
    """
    processes = run.record.processes
    command = workers.launched(workers.worker_command(run.spec.kind, settings.worker), processes)
    language = {"STUDIO_LANG": os.environ["STUDIO_LANG"]} if os.environ.get("STUDIO_LANG") else {}
    return {
        "entrypoint": shlex.join([*command, str(run.folder)]),
        "runtime_env": {"env_vars": {**workers.OFFLINE, **language}},
        "entrypoint_num_cpus": settings.cpus * processes,
        "entrypoint_num_gpus": gpus * processes,
        "metadata": {"run": run.id},
    }


def _handle_term(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is done upon it is not to be interrupted again
    raise Ended


def main() -> int:
    """Entry of `python -m studio.jobs._ray_cluster`."""
    parser = argparse.ArgumentParser(prog="python -m studio.jobs._ray_cluster", description=__doc__)
    parser.add_argument("run_folder", type=Path, help="folder with spec.json")
    folder = parser.parse_args().run_folder.absolute()
    if os.environ.get("STUDIO_LANG") == "en":
        current_language.set("en")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    signal.signal(signal.SIGTERM, _handle_term)
    cluster_run = ClusterRun(folder, RaySettings())
    try:
        cluster_run.run()
    except StudioError as error:
        log.error("%s", error)
        cluster_run.finish("failed", error.problem, error.remedy)
        return 1
    except Exception as error:
        # Our own bug or Ray's: the run must not wait for ever for what was never handed over.
        if not cluster_run.job.submitted:
            cluster_run.finish(
                "failed", f"{type(error).__name__}: {error}", say("请查看日志。", "Read the log.")
            )
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())


CLUSTER_COMMAND = (sys.executable, "-m", "studio.jobs._ray_cluster")
"""Command that hands a run to a Ray cluster and stands here for its worker."""
