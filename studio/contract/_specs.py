"""Define the specs of workers: evaluate, classify, serve, preview, draft, download, sweep, range test."""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator, model_validator

from studio.contract._base import AnswerMode, Frozen, TemplateName
from studio.contract._calibration import AnswerCalibration
from studio.contract._training import TrainSpec


class EndpointSpec(Frozen):
    """A model at an OpenAI-compatible endpoint, and how it is asked.

    It names where the key is, never the key itself. Validation errors hide their input: an
    address may contain a password.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    base_url: str = Field(description="Address of the endpoint up to and including /v1.")
    model: str = Field(min_length=1, description="Name of the model in the API.")
    key_file: Path | None = Field(None, description="File that holds the key; empty: none.")
    key_env: str | None = Field(
        None, description="Environment variable that holds the key, where there is no file."
    )
    concurrency: int = Field(4, ge=1, le=256, description="Titles asked about at once.")
    attempts: int = Field(4, ge=1, le=10, description="Attempts per title before it counts as failed.")
    timeout_seconds: float = Field(120, gt=0, le=3600, description="Longest wait for one answer.")
    fields: dict[str, str | int | float | bool] = Field(
        default_factory=dict,
        description="Further fields of every request, as the endpoint names them, such as"
        " repeat_penalty: 1.2.",
    )

    @field_validator("base_url")
    @classmethod
    def _address_is_bare(cls, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("base_url must begin with https:// or http:// and name a host.")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("base_url must not carry a user, a password, a query or a fragment.")
        return address.rstrip("/")

    @field_validator("fields")
    @classmethod
    def _fields_are_not_ours(
        cls, fields: dict[str, str | int | float | bool]
    ) -> dict[str, str | int | float | bool]:
        if ours := sorted(set(fields) & _OUR_FIELDS):
            raise ValueError(f"{', '.join(ours)}: these fields of a request are set by the studio itself.")
        return fields


_OUR_FIELDS = {
    "model", "messages", "prompt", "stream", "n", "max_tokens", "max_completion_tokens", "logprobs",
    "top_logprobs", "echo", "logit_bias",
}  # fmt: skip


class AnsweringSpec(Frozen):
    """A model, with or without adapter or at an endpoint, and how it answers titles."""

    engine: Literal["local", "endpoint"] = Field(
        "local", description="local: load the model and answer here. endpoint: ask the endpoint's model."
    )
    model_name_or_path: Path | None = Field(
        None,
        description="Folder of the base model. With an endpoint: of the model that it serves, whose"
        " tokenizer and template write its prompts; empty: the endpoint's own template does.",
    )
    adapter_name_or_path: Path | None = Field(
        None, description="Folder of a LoRA adapter; empty: the base alone."
    )
    endpoint: EndpointSpec | None = Field(
        None, description="With engine endpoint: which, and how it is asked."
    )
    template: TemplateName = Field("auto", description="Chat template that renders a conversation.")
    answer: AnswerMode = Field(
        "chain", description="chain: write the think chain, then the category. direct: score the categories."
    )
    batch_size: int = Field(128, ge=1, le=4096, description="Rows answered at once.")
    max_new_tokens: int = Field(256, ge=8, le=32768, description="Longest generated answer in tokens.")
    quotes_from_title: bool = Field(
        True, description="Hold the quotations in a chain to the title; not at an endpoint."
    )
    categories_only: bool = Field(
        False,
        description="Hold a written answer to the categories, and stop as soon as it names one; not at an"
        " endpoint.",
    )
    temperature: float = Field(
        0.0,
        ge=0,
        le=2,
        description="Sampling temperature of written answers; 0: the likeliest token. At an endpoint it is a"
        " field of its requests instead.",
    )
    top_p: float = Field(
        1.0, gt=0, le=1, description="Sample from the likeliest tokens of this probability together."
    )
    top_k: int = Field(0, ge=0, description="Sample from this many likeliest tokens; 0: from all.")
    sampling_seed: int = Field(0, ge=0, lt=2**32, description="Seed of the samples.")
    run: str | None = Field(None, description="The training run whose model answers, if it is one.")

    @model_validator(mode="after")
    def _engine_is_complete(self) -> Self:
        if self.engine == "local" and self.model_name_or_path is None:
            raise ValueError("model_name_or_path is needed: the folder of the model that answers.")
        if (self.engine == "endpoint") != (self.endpoint is not None):
            raise ValueError("engine endpoint needs endpoint, and no other engine has one.")
        if self.endpoint is not None and self.temperature:
            raise ValueError("temperature: at an endpoint set it among the endpoint's fields.")
        return self


class EvaluateSpec(AnsweringSpec):
    """One evaluation: a model on the rows of a dataset.

    `categories_only` is off: an answer that is no category is an error of the model, and counted.
    """

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["evaluate"] = Field("evaluate", description="What the worker is asked to do.")
    dataset_dir: Path = Field(description="Folder with dataset_info.json.")
    dataset: str = Field("eval", description="Entry of dataset_info.json to answer.")
    train_dataset: str | None = Field(
        "train", description="Entry whose rows train the TF-IDF baseline; empty: no baselines."
    )
    rows: tuple[int, ...] | None = Field(
        None,
        description="Rows of the entry to answer, from 0; empty: all. Where train_dataset is the same entry,"
        " the others train the baseline.",
    )
    limit: int | None = Field(None, ge=1, description="Answer at most this many rows; empty: all.")
    samples: int = Field(
        1,
        ge=1,
        le=101,
        description="Written answers to each title, of which the category counts that most of them name.",
    )
    cutoff_len: int = Field(512, ge=16, le=131072, description="Longest question in tokens.")
    seed: int = Field(42, ge=0, lt=2**32, description="Seed of the intervals' resampling.")
    imported: str | None = Field(
        None, description="File that another program's answers were imported from; empty: answered here."
    )
    sealed: str | None = Field(
        None,
        description="The sealed set that is opened, as name#1: only its scores are shown. Empty: none is.",
    )

    @model_validator(mode="after")
    def _samples_differ(self) -> Self:
        if self.samples > 1 and self.answer != "chain":
            raise ValueError("samples: only written answers (answer chain) can be sampled several times.")
        if self.samples > 1 and self.endpoint is None and not self.temperature:
            raise ValueError("samples need a temperature above 0; without one they are all alike.")
        return self


class ClassifySpec(AnsweringSpec):
    """The classification of a sheet: the titles of titles.jsonl, beside the spec, each answered once."""

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["classify"] = Field("classify", description="What the worker is asked to do.")
    answer: AnswerMode = Field(
        "direct", description="direct: score the categories. chain: write the think chain, then the category."
    )
    categories_only: bool = Field(
        True,
        description="Hold a written answer to the categories, and stop as soon as it names one; not at an"
        " endpoint.",
    )
    calibration: AnswerCalibration | None = Field(
        None, description="How confidence is computed, and below which an answer is refused; empty: as it is."
    )


class ServedModel(Frozen):
    """One more model of a server: another adapter of the same base, or the base alone."""

    name: str = Field(min_length=1, description="Name of the model in the API.")
    adapter_name_or_path: Path | None = Field(
        None, description="Folder of a LoRA adapter; empty: the base alone."
    )
    template: TemplateName = Field("auto", description="Chat template that renders a conversation.")
    calibration_file: Path | None = Field(
        None, description="calibration.json of the run, read again when it changes; it need not exist yet."
    )


class ServeSpec(Frozen):
    """Models of one base, served over the OpenAI protocol.

    It names where the API key is, never the key itself.
    """

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["serve"] = Field("serve", description="What the worker is asked to do.")
    model_name_or_path: Path = Field(description="Folder of the base model.")
    adapter_name_or_path: Path | None = Field(
        None, description="Folder of a LoRA adapter; empty: the base alone."
    )
    template: TemplateName = Field("auto", description="Chat template that renders a conversation.")
    name: str = Field(description="Name of the model in the API.")
    calibration_file: Path | None = Field(
        None, description="calibration.json of the run, read again when it changes; it need not exist yet."
    )
    also: tuple[ServedModel, ...] = Field((), description="More models of the same base, by their names.")
    host: str = Field("127.0.0.1", description="Address to listen on; beyond loopback only with a key.")
    port: int = Field(0, ge=0, le=65535, description="Port to listen on; 0: any free one, see address.json.")
    key_file: Path | None = Field(None, description="File of API keys, one a line; empty: none.")
    key_env: str | None = Field(None, description="Environment variable that holds an API key.")
    allowed_hosts: tuple[str, ...] = Field((), description="Further names that the server answers to.")
    cors_origins: tuple[str, ...] = Field((), description="Web origins whose pages may call the server.")
    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Confidence below which /v1/classify abstains; empty: the run's own; 0: never.",
    )
    quotes_from_title: bool = Field(
        True, description="Hold the quotations in a chain of /v1/classify to the title."
    )
    max_new_tokens: int = Field(256, ge=8, le=32768, description="Longest answer when a request sets none.")
    max_context: int = Field(
        8192,
        ge=64,
        le=2**24,
        description="Longest prompt with its answer, in tokens; the model's if less.",
    )
    max_body_bytes: int = Field(4 * 2**20, ge=1024, description="Largest body of a request.")
    slots: int = Field(64, ge=1, le=4096, description="Answers computed at once.")
    queue_limit: int = Field(256, ge=0, le=65536, description="Answers that may wait; more get status 429.")
    idle_seconds: float = Field(1800, gt=0, description="Stop after this long without a request.")

    @property
    def models(self) -> tuple[ServedModel, ...]:
        """All models of the server, the first first."""
        own = ServedModel(
            name=self.name,
            adapter_name_or_path=self.adapter_name_or_path,
            template=self.template,
            calibration_file=self.calibration_file,
        )
        return (own, *self.also)

    @model_validator(mode="after")
    def _names_differ(self) -> "ServeSpec":
        names = [self.name, *(one.name for one in self.also)]
        if len(set(names)) < len(names):
            raise ValueError(f"two models have one name: {', '.join(names)}")
        return self


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


class DraftSpec(EndpointSpec):
    """Think chains for labelled titles, drafted by a teacher at an endpoint."""

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["draft"] = Field("draft", description="What the worker is asked to do.")
    temperature: float | None = Field(
        0.7, ge=0, le=2, description="Sampling temperature of the teacher; empty: the endpoint's default."
    )
    max_tokens: int = Field(
        1024, ge=16, le=131072, description="Longest answer in tokens, thoughts included."
    )
    revise: bool = Field(True, description="Send a draft with remarks back to the teacher, once.")
    prompt_price: float = Field(0, ge=0, description="Price of a million prompt tokens.")
    completion_price: float = Field(0, ge=0, description="Price of a million completion tokens.")


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


class BehaviourSpec(Frozen):
    """Behavioural tests of a model: direct answers to the titles of variants.jsonl, beside the spec."""

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["behaviour"] = Field("behaviour", description="What the worker is asked to do.")
    model_name_or_path: Path = Field(description="Folder of the base model.")
    adapter_name_or_path: Path | None = Field(
        None, description="Folder of a LoRA adapter; empty: the base alone."
    )
    template: TemplateName = Field("auto", description="Chat template that renders a conversation.")
    run: str = Field(description="The evaluation whose titles are changed.")
    batch_size: int = Field(64, ge=1, le=4096, description="Titles answered at once.")


class InfluenceSpec(Frozen):
    """Influence of training rows on the answers of targets.jsonl, beside the spec, and on each other.

    targets.jsonl holds predictions, wrong ones as a rule.
    """

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["influence"] = Field("influence", description="What the worker is asked to do.")
    train: TrainSpec = Field(description="The training whose rows are judged; LoRA only.")
    adapter_name_or_path: Path = Field(description="Folder of the adapter that it ended with.")
    run: str = Field(description="The evaluation whose answers are explained.")
    tokens: Literal["label", "chain", "all"] = Field(
        "label",
        description="Tokens of a training row whose gradients count: the category after the think chain, the"
        " chain, or both as trained.",
    )
    first_pass_epochs: float = Field(
        1.0,
        ge=0,
        le=100,
        description="Passes of a fresh adapter over the rows, before which label errors are learned by"
        " heart; 0: judge labels by the finished adapter, which finds fewer errors.",
    )
    sketch_length: int = Field(
        32768, ge=256, le=2**22, description="Numbers that the gradient of a row is folded into."
    )
    batch_size: int = Field(16, ge=1, le=4096, description="Samples in one backward pass.")


class SampleSpec(Frozen):
    """Several sampled answers with a think chain to every row of a dataset, whose labels judge them."""

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["sample"] = Field("sample", description="What the worker is asked to do.")
    model_name_or_path: Path = Field(description="Folder of the base model.")
    adapter_name_or_path: Path | None = Field(
        None, description="Folder of a LoRA adapter; empty: the base alone."
    )
    template: TemplateName = Field("auto", description="Chat template that renders a conversation.")
    dataset_dir: Path = Field(description="Folder with dataset_info.json.")
    dataset: str = Field("train", description="Entry of dataset_info.json whose rows are answered.")
    samples: int = Field(8, ge=2, le=256, description="Answers to each row.")
    temperature: float = Field(1.0, gt=0, le=2, description="Sampling temperature.")
    top_p: float = Field(
        1.0, gt=0, le=1, description="Sample from the likeliest tokens of so much probability."
    )
    limit: int | None = Field(None, ge=1, description="Answer at most this many rows; empty: all.")
    batch_size: int = Field(128, ge=1, le=4096, description="Answers computed at once.")
    max_new_tokens: int = Field(256, ge=8, le=32768, description="Longest answer in tokens.")
    quotes_from_title: bool = Field(True, description="Hold the quotations in a chain to the title.")
    seed: int = Field(42, ge=0, lt=2**32, description="Seed of the samples.")
    run: str | None = Field(None, description="The training run that answers, if it is one.")


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
