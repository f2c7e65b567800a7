"""ModelScope's hub through its own client: list a model's files, fetch some of them.

The client resumes partial files by HTTP range, retries once at once and checks sizes and
hashes as it receives; what it leaves to us (progress over all files, patience, a stop
that does not wait, words that a user understands) is in `download` and here. Knows no run.
"""

import errno
import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from studio.errors import DownloadFailed
from studio.language import say
from studio.modelfiles.hub_manifest import HubFile
from studio.system.network import is_loopback

if TYPE_CHECKING:
    pass

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
"""So long the hub may take to answer the telephone; the client alone would try for 24 s."""
_EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Hub:
    """One hub or mirror of it; use as a context manager.

    The client's own folders are temporary: it writes an identifier there, and would read
    a pickle of cookies from the user's.
    """

    def __init__(self, endpoint: str | None) -> None:
        # Read when the client is imported. One try there; the rounds of `download` are the patience.
        os.environ["MODELSCOPE_DOWNLOAD_MAX_RETRIES"] = "1"
        os.environ["MODELSCOPE_DOWNLOAD_FILE_LOCK"] = "false"
        os.environ["TQDM_DISABLE"] = "1"
        from modelscope_hub import HubApi, HubConfig

        self._folder = TemporaryDirectory(prefix="news-studio-hub-")
        place = Path(self._folder.name)
        config = HubConfig(endpoint=endpoint, config_dir=place, cache_dir=place, token="")
        self.endpoint: str = config.endpoint or ""
        config.token = _token_for(self.endpoint)
        self._api: HubApi = HubApi(config)

    def __enter__(self) -> "Hub":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def require_reachable(self) -> None:
        """Nothing when somebody listens at the hub's address, or at the proxy before it.

        Raises:
            DownloadFailed: within seconds, with what to do without a network.
        """
        host, port = _first_hop(self.endpoint)
        try:
            socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
        except OSError as error:
            raise unreachable(self.endpoint, str(error)) from error

    def list_files(self, model_id: str, revision: str) -> list[HubFile]:
        """Every file of the model, as the hub lists it.

        Raises:
            DownloadFailed: no such model or revision, no right to it, or no usable answer.
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
            # A mirror, or a hotel's network, that answers something else altogether.
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
        """Fetch these files, going on where a partial one stopped; the errors of those that failed.

        Args:
            on_bytes: hears, from several threads, the bytes of a file that are there now.

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
            return no_right(model_id)
        return unreachable(self.endpoint, reason(error))


def is_hopeless(error: BaseException) -> bool:
    """Whether trying again cannot help: no such file, no right to it."""
    from modelscope_hub import errors

    return isinstance(error, errors.NotExistError | errors.AuthenticationError | errors.PermissionDeniedError)


def is_denied(error: BaseException) -> bool:
    """Whether the hub wants to know who asks."""
    from modelscope_hub import errors

    return isinstance(error, errors.AuthenticationError | errors.PermissionDeniedError)


def is_corrupt(error: BaseException) -> bool:
    """Whether what came is not what the list says, after the client's own repetitions."""
    from modelscope_hub import errors

    return isinstance(error, errors.FileIntegrityError)


def reason(error: BaseException) -> str:
    """Why a file did not come, briefly: the client's own words carry whole addresses."""
    from modelscope_hub import errors

    if isinstance(error, errors.RequestTimeoutError):
        return say("等待超时", "no answer in time")
    if isinstance(error, errors.APIError) and error.status_code:
        return f"HTTP {error.status_code}"
    if isinstance(error, errors.FileIntegrityError):
        return say("内容与列表不符", "not what the list says")
    return say("连接中断", "the connection broke")


def unreachable(endpoint: str, reason: str) -> DownloadFailed:
    """The hub does not answer."""
    return DownloadFailed(
        say(
            "连不上 {endpoint}：{reason}。",
            "{endpoint} cannot be reached: {reason}.",
            endpoint=endpoint,
            reason=reason,
        ),
        remedy=say(
            "请检查网络、代理（HTTPS_PROXY）或换一个镜像；没有网络时，把模型文件夹拷到工作区的 models/ 里即可。",
            "Check the network, the proxy (HTTPS_PROXY) or use a mirror; without a network, copy the model folder into models/ of the workspace.",
        ),
    )


def no_right(model_id: str) -> DownloadFailed:
    """The hub refuses this model to whoever asked."""
    return DownloadFailed(
        say(f"没有下载 {model_id} 的权限。", f"The hub refuses {model_id} to you."),
        remedy=say(
            "请在 ModelScope 网页上申请，然后把访问令牌放进环境变量 MODELSCOPE_API_TOKEN 再启动工作室。",
            "Ask for access on ModelScope's page, put your token into MODELSCOPE_API_TOKEN and start the studio again.",
        ),
    )


def _entry(file: HubFile) -> dict[str, Any]:
    """A file as the hub's list has it; the client reads a size of 0 as unknown only if it is left out."""
    is_sized = file.size > 0 or file.sha256 == _EMPTY_SHA256
    return {"Type": "blob", "Path": file.path, "Sha256": file.sha256} | (
        {"Size": file.size} if is_sized else {}
    )


def _listener(on_bytes: Callable[[str, int], None]) -> Any:
    """A class as the client wants it: one instance for each try of a file."""
    from modelscope_hub import ProgressCallback

    class Listener(ProgressCallback):
        def __init__(self, filename: str, file_size: int) -> None:
            super().__init__(filename, file_size)
            self.there = 0
            self.lock = threading.Lock()

        def update(self, size: int) -> None:
            with self.lock:
                self.there += size
                on_bytes(self.filename, self.there)

    return Listener


def _token_for(endpoint: str) -> str:
    """The user's token, for an address that keeps it secret; empty for none."""
    parts = urlsplit(endpoint)
    token = os.environ.get("MODELSCOPE_API_TOKEN", "")
    if token and parts.scheme != "https" and not is_loopback(parts.hostname):
        log.warning("%s is not encrypted: MODELSCOPE_API_TOKEN is not sent there", endpoint)
        return ""
    return token


def _first_hop(endpoint: str) -> tuple[str, int]:
    """Host and port that a connection goes to first: the proxy's, where there is one."""
    parts = urlsplit(endpoint)
    proxy = getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(parts.netloc):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
