"""Settings of the job process and of a Ray cluster, read from the environment."""

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from studio.system import processes as workers


class JobSettings(BaseSettings):
    """Read from the environment: STUDIO_JOBS_CANCEL_GRACE_SECONDS and so on."""

    model_config = SettingsConfigDict(env_prefix="STUDIO_JOBS_", extra="ignore")

    worker: tuple[str, ...] = Field(
        default=workers.DEFAULT_COMMAND,
        description="Command of a worker as a JSON list; {kind} is its spec's kind, the folder is appended.",
    )
    cancel_grace_seconds: float = Field(default=20, ge=0, description="From a cancel to SIGTERM.")
    kill_grace_seconds: float = Field(default=10, ge=0, description="From SIGTERM to SIGKILL.")
    idle_seconds: float = Field(default=900, gt=0, description="End after this long without a job.")
    look_seconds: float = Field(default=10, gt=0, description="Look for waiting jobs at least this often.")
    devices: tuple[str, ...] = Field(
        default=(),
        description='Devices as a JSON list, such as ["cuda:0", "cuda:2"]; empty: all GPUs, or the CPU.',
    )
    light_jobs: int = Field(
        default=4, ge=1, description="Jobs at once that need no device, such as downloads."
    )
    cluster_jobs: int = Field(default=8, ge=1, description="Jobs at once that are handed to a Ray cluster.")


class RaySettings(BaseSettings):
    """Read from the environment: STUDIO_RAY_ADDRESS and so on."""

    model_config = SettingsConfigDict(env_prefix="STUDIO_RAY_", extra="ignore")

    address: str = Field(default="", description="The cluster's job server, such as http://head:8265.")
    worker: tuple[str, ...] = Field(
        default=("python", "-m", "backend.{kind}"),
        description="Command of a worker on the nodes as a JSON list; the folder is appended.",
    )
    gpus: float | None = Field(
        default=None, ge=0, description="GPUs of one process; empty: one where a node of the cluster has one."
    )
    cpus: float = Field(default=1, ge=0, description="Processor cores that are reserved for one process.")
    poll_seconds: float = Field(default=2, gt=0, description="Between two looks at the job.")

    @field_validator("address")
    @classmethod
    def _is_http(cls, address: str) -> str:
        if address and not address.startswith(("http://", "https://")):
            raise ValueError("STUDIO_RAY_ADDRESS begins with http:// or https://, such as http://head:8265.")
        return address.rstrip("/")
