"""List and fetch a model's files from ModelScope's hub, through its own client.

The client resumes partial files by HTTP range, retries once at once and checks sizes and
hashes as it receives; what it leaves to us (progress over all files, longer retries, an
immediate stop, errors with remedies) is in `download` and here. Knows no run.
"""

import errno
import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from studio.errors import DownloadFailed
from studio.language import say
from studio.modelfiles.hub_manifest import HubFile
from studio.system.network import is_loopback

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
"""Connect timeout; the client alone would try for 24 s."""
_EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Hub:
    """A hub or a mirror of it, as a context manager.

    The client's own folders are temporary: it writes an identifier there, and would read
    pickled cookies from the user's.
    """

    def __init__(self, endpoint: str | None) -> None:
        # Read when the client is imported. One try there; `download` retries in rounds.
        os.environ["MODELSCOPE_DOWNLOAD_MAX_RETRIES"] = "1"
        os.environ["MODELSCOPE_DOWNLOAD_FILE_LOCK"] = "false"
        os.environ["TQDM_DISABLE"] = "1"
        from modelscope_hub import HubApi, HubConfig

        self._folder = TemporaryDirectory(prefix="news-studio-hub-")
        folder = Path(self._folder.name)
        config = HubConfig(endpoint=endpoint, config_dir=folder, cache_dir=folder, token="")
        self.endpoint: str = config.endpoint or ""
        config.token = _token_for(self.endpoint)
        self._api: HubApi = HubApi(config)

    def __enter__(self) -> "Hub":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def require_reachable(self) -> None:
        """Require a listener at the hub's address, or at the proxy before it.

        Raises:
            DownloadFailed: within seconds, with what to do without a network.
        """
        host, port = _first_hop(self.endpoint)
        try:
            socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
        except OSError as error:
            raise unreachable(self.endpoint, str(error)) from error

    def list_files(self, model_id: str, revision: str) -> list[HubFile]:
        """List every file of the model.

        Raises:
            DownloadFailed: no such model or revision, no permission, or no usable answer.
        """
        from modelscope_hub import errors

        try:
            entries = self._api.list_repo_files(model_id, "model", revision=revision)
            return [
                HubFile(path=entry.path, size=entry.size, sha256=(entry.sha256 or "").lower() or None)
                for entry in entries
                if not entry.is_dir
            ]
        except errors.HubError as error:
            raise self._explain(model_id, revision, error) from error
        except (ValueError, TypeError, AttributeError) as error:
            # A mirror, or a captive portal, that answers something else altogether.
            raise DownloadFailed(
                say(
                    f"{self.endpoint} 的回答不是 ModelScope 的格式。",
                    f"{self.endpoint} does not answer as ModelScope does.",
                ),
                remedy=say(
                    "请检查镜像地址和网络登录页。", "Check the mirror's address and the network's login page."
                ),
            ) from error

    def fetch(
        self,
        model_id: str,
        revision: str,
        files: Sequence[HubFile],
        into: Path,
        *,
        at_once: int,
        on_bytes: Callable[[str, int], None],
    ) -> dict[str, BaseException]:
        """Fetch these files, resuming partial ones; return the errors of those that failed.

        Args:
            model_id: owner/model.
            revision: branch, tag or commit.
            files: what to fetch, as `list_files` gives it.
            into: folder to fetch into.
            at_once: files fetched in parallel.
            on_bytes: called from several threads with a file's name and the bytes received of it.

        Raises:
            OSError: the disk is full.
        """
        from modelscope_hub import errors

        try:
            self._api.download_repo(
                model_id,
                "model",
                revision=revision,
                local_dir=into,
                max_workers=at_once,
                file_list=[_entry(file) for file in files],
                progress_callbacks=[_listener(on_bytes)],
            )
        except errors.FileDownloadError as error:
            for failure in error.failed_files.values():
                if isinstance(failure, OSError) and failure.errno in (
                    errno.ENOSPC,
                    errno.EDQUOT,
                    errno.EFBIG,
                ):
                    raise failure from error
            return dict(error.failed_files)
        return {}

    def _explain(self, model_id: str, revision: str, error: Exception) -> DownloadFailed:
        from modelscope_hub import errors

        if isinstance(error, errors.NotExistError):
            return DownloadFailed(
                say(
                    f"{self.endpoint} 上没有模型 {model_id}（版本 {revision}）。",
                    f"There is no model {model_id} at {self.endpoint} (revision {revision}).",
                ),
                remedy=say(
                    "请核对名字的拼写和大小写：所有者/模型，例如 Qwen/Qwen2.5-0.5B-Instruct。",
                    "Check spelling and capitals: owner/model, such as Qwen/Qwen2.5-0.5B-Instruct.",
                ),
            )
        if isinstance(error, errors.AuthenticationError | errors.PermissionDeniedError):
            return no_permission(model_id)
        return unreachable(self.endpoint, reason(error))


def is_hopeless(error: BaseException) -> bool:
    """Whether a retry cannot help: no such file, no permission."""
    from modelscope_hub import errors

    return isinstance(error, errors.NotExistError | errors.AuthenticationError | errors.PermissionDeniedError)


def is_denied(error: BaseException) -> bool:
    """Whether the hub denies access to this model."""
    from modelscope_hub import errors

    return isinstance(error, errors.AuthenticationError | errors.PermissionDeniedError)


def is_corrupt(error: BaseException) -> bool:
    """Whether a file differs from the list, after the client's own retries."""
    from modelscope_hub import errors

    return isinstance(error, errors.FileIntegrityError)


def reason(error: BaseException) -> str:
    """Describe briefly why a file failed: the client's own messages carry whole URLs."""
    from modelscope_hub import errors

    if isinstance(error, errors.RequestTimeoutError):
        return say("等待超时", "no answer in time")
    if isinstance(error, errors.APIError) and error.status_code:
        return f"HTTP {error.status_code}"
    if isinstance(error, errors.FileIntegrityError):
        return say("内容与列表不符", "differs from the list")
    return say("连接中断", "connection lost")


def unreachable(endpoint: str, reason: str) -> DownloadFailed:
    """Make the error for a hub that does not answer."""
    return DownloadFailed(
        say(
            "连不上 {endpoint}：{reason}。",
            "{endpoint} cannot be reached: {reason}.",
            endpoint=endpoint,
            reason=reason,
        ),
        remedy=say(
            "请检查网络、代理（HTTPS_PROXY）或换一个镜像；"
            "没有网络时，把模型文件夹拷到工作区的 models/ 里即可。",
            "Check the network and the proxy (HTTPS_PROXY), or use a mirror; "
            "without a network, copy the model folder into models/ of the workspace.",
        ),
    )


def no_permission(model_id: str) -> DownloadFailed:
    """Make the error for a model that the hub denies access to."""
    return DownloadFailed(
        say(f"没有下载 {model_id} 的权限。", f"You have no permission to download {model_id}."),
        remedy=say(
            "请在 ModelScope 网页上申请，然后把访问令牌放进环境变量 MODELSCOPE_API_TOKEN 再启动工作室。",
            "Request access on ModelScope's page, put your token into MODELSCOPE_API_TOKEN "
            "and restart the studio.",
        ),
    )


def _entry(file: HubFile) -> dict[str, Any]:
    """Describe a file as the hub's list does; the client takes a size for unknown only if it is left out."""
    is_sized = file.size > 0 or file.sha256 == _EMPTY_SHA256
    return {"Type": "blob", "Path": file.path, "Sha256": file.sha256} | (
        {"Size": file.size} if is_sized else {}
    )


def _listener(on_bytes: Callable[[str, int], None]) -> Any:
    """Make a callback class for the client: one instance for each try of a file."""
    from modelscope_hub import ProgressCallback

    class Listener(ProgressCallback):
        def __init__(self, filename: str, file_size: int) -> None:
            super().__init__(filename, file_size)
            self.received = 0
            self.lock = threading.Lock()

        def update(self, size: int) -> None:
            with self.lock:
                self.received += size
                on_bytes(self.filename, self.received)

    return Listener


def _token_for(endpoint: str) -> str:
    """Return the user's token for an encrypted or local address, else an empty one."""
    parts = urlsplit(endpoint)
    token = os.environ.get("MODELSCOPE_API_TOKEN", "")
    if token and parts.scheme != "https" and not is_loopback(parts.hostname):
        log.warning("%s is not encrypted: MODELSCOPE_API_TOKEN is not sent there", endpoint)
        return ""
    return token


def _first_hop(endpoint: str) -> tuple[str, int]:
    """Find the host and port that a connection goes to first: the proxy's, where there is one."""
    parts = urlsplit(endpoint)
    proxy = getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(parts.netloc):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
