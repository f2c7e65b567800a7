"""Define the specs of workers: evaluate, serve, preview, draft, download, sweep, range test."""

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator

from studio.contract._base import AnswerMode, Frozen, TemplateName
from studio.contract._training import TrainSpec


class EvaluateSpec(Frozen):
    """One evaluation: a model, with or without adapter, on the rows of a dataset."""

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["evaluate"] = Field("evaluate", description="What the worker is asked to do.")
    model_name_or_path: Path = Field(description="Folder of the base model.")
    adapter_name_or_path: Path | None = Field(
        None, description="Folder of a LoRA adapter; empty: the base alone."
    )
    template: TemplateName = Field("auto", description="Chat template that renders a conversation.")
    dataset_dir: Path = Field(description="Folder with dataset_info.json.")
    dataset: str = Field("eval", description="Entry of dataset_info.json to answer.")
    train_dataset: str | None = Field(
        "train", description="Entry whose rows train the TF-IDF baseline; empty: no baselines."
    )
    answer: AnswerMode = Field(
        "chain", description="chain: write the think chain, then the category. direct: score the categories."
    )
    rows: tuple[int, ...] | None = Field(
        None,
        description="Rows of the entry to answer, from 0; empty: all. Where train_dataset is the same entry,"
        " the others train the baseline.",
    )
    limit: int | None = Field(None, ge=1, description="Answer at most this many rows; empty: all.")
    batch_size: int = Field(64, ge=1, le=4096, description="Rows answered at once.")
    cutoff_len: int = Field(512, ge=16, le=131072, description="Longest question in tokens.")
    max_new_tokens: int = Field(256, ge=8, le=32768, description="Longest generated answer in tokens.")
    seed: int = Field(42, ge=0, lt=2**32, description="Seed of the intervals' resampling.")
    run: str | None = Field(None, description="The training run that is evaluated, if it is one.")
    imported: str | None = Field(
        None, description="File that another program's answers were imported from; empty: answered here."
    )


class ServeSpec(Frozen):
    """One model served over the OpenAI protocol."""

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["serve"] = Field("serve", description="What the worker is asked to do.")
    model_name_or_path: Path = Field(description="Folder of the base model.")
    adapter_name_or_path: Path | None = Field(
        None, description="Folder of a LoRA adapter; empty: the base alone."
    )
    template: TemplateName = Field("auto", description="Chat template that renders a conversation.")
    name: str = Field(description="Name of the model in the API.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(0, ge=0, le=65535, description="Port to listen on; 0: any free one, see address.json.")
    max_new_tokens: int = Field(256, ge=8, le=32768, description="Longest answer when a request sets none.")
    idle_seconds: float = Field(1800, gt=0, description="Stop after this long without a request.")


class PreviewSpec(Frozen):
    """A preview of a tokenized dataset: token counts of its rows, and some rows token by token."""

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["preview"] = Field("preview", description="What the worker is asked to do.")
    model_name_or_path: Path = Field(description="Folder of the base model; only its tokenizer is read.")
    dataset_dir: Path = Field(description="Folder with dataset_info.json.")
    template: TemplateName = Field("auto", description="Chat template that renders a conversation.")
    label_weight: float = Field(3.0, ge=1, le=100, description="As in TrainSpec.")
    count: tuple[str, ...] = Field((), description="Entries of dataset_info.json whose rows are counted.")
    dataset: str = Field("train", description="Entry of dataset_info.json that `rows` belong to.")
    rows: tuple[int, ...] = Field((), description="Rows, from 0, that are rendered token by token.")


class DraftSpec(Frozen):
    """Think chains for labelled titles, drafted by a teacher at an OpenAI-compatible endpoint.

    It names where the key is, never the key itself. Validation errors hide their input: an
    address may contain a password.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["draft"] = Field("draft", description="What the worker is asked to do.")
    base_url: str = Field(description="Address of the endpoint up to and including /v1.")
    model: str = Field(min_length=1, description="Name of the teacher in the API.")
    key_file: Path | None = Field(None, description="File that holds the key; empty: none.")
    key_env: str | None = Field(
        None, description="Environment variable that holds the key, where there is no file."
    )
    temperature: float | None = Field(
        0.7, ge=0, le=2, description="Sampling temperature of the teacher; empty: the endpoint's default."
    )
    max_tokens: int = Field(
        1024, ge=16, le=131072, description="Longest answer in tokens, thoughts included."
    )
    concurrency: int = Field(4, ge=1, le=64, description="Titles asked about at once.")
    attempts: int = Field(4, ge=1, le=10, description="Attempts per title before it counts as failed.")
    timeout_seconds: float = Field(120, gt=0, le=3600, description="Longest wait for one answer.")
    revise: bool = Field(True, description="Send a draft with remarks back to the teacher, once.")
    prompt_price: float = Field(0, ge=0, description="Price of a million prompt tokens.")
    completion_price: float = Field(0, ge=0, description="Price of a million completion tokens.")

    @field_validator("base_url")
    @classmethod
    def _address_is_bare(cls, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("base_url must begin with https:// or http:// and name a host.")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("base_url must not carry a user, a password, a query or a fragment.")
        return address.rstrip("/")


class DownloadSpec(Frozen):
    """A model to download from ModelScope, file by file, each verified."""

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["download"] = Field("download", description="What the worker is asked to do.")
    model_id: str = Field(
        pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$",
        description="Name of the model on the hub: owner/model.",
    )
    revision: str = Field("master", min_length=1, description="Branch, tag or commit on the hub.")
    target: Path = Field(description="Destination folder.")
    endpoint: str | None = Field(
        None, description="Address of a mirror that speaks the hub's protocol; empty: the hub itself."
    )
    attempts: int = Field(5, ge=1, le=100, description="Attempts per file before the download fails.")
    max_workers: int = Field(4, ge=1, le=32, description="Files fetched at once.")


class RangeTestSpec(Frozen):
    """A learning-rate range test: a short training whose rate rises from very low to too high.

    Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3.
    """

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["range_test"] = Field("range_test", description="What the worker is asked to do.")
    train: TrainSpec = Field(description="The training whose learning rate is searched.")
    lowest: float = Field(1e-6, gt=0, lt=1, description="Learning rate of the first step.")
    highest: float = Field(1e-1, gt=0, le=10, description="Learning rate of the last step.")
    steps: int = Field(80, ge=10, le=10000, description="Optimizer steps between the two.")


class SweepSpec(Frozen):
    """A hyperparameter sweep: training runs one after the other in one worker, the base model loaded once.

    Each member has a run folder of its own with its own spec, state and result.
    """

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["sweep"] = Field("sweep", description="What the worker is asked to do.")
    runs: tuple[Path, ...] = Field(min_length=1, description="Folders of the member runs, in their order.")
    field: str = Field("learning_rate", description="Field of TrainSpec in which the members differ.")
