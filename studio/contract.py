"""What crosses the border between studio and backend: specs in, events and results out.

A run folder is the whole interface. Studio writes `spec.json`, the worker appends to
`metrics.jsonl` and `predictions.jsonl`, writes `scores.json` and `checkpoints/`, and
moves `result.json` into place last. Field names are those of transformers and
LLaMA-Factory, so that a user's own YAML reads as it is.
"""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator, model_validator

from studio.language import say

TemplateName = Literal["auto", "deepseek3", "deepseekr1", "qwen", "qwen3", "chatml", "default", "tokenizer"]
AnswerMode = Literal["chain", "direct"]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TrainSpec(_Frozen):
    """Everything one training run needs, and nothing it can look up."""

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["train"] = Field("train", description="What the worker is asked to do.")
    stage: Literal["sft", "pt"] = Field(
        "sft", description="sft: learn to answer conversations. pt: continue pre-training on plain text."
    )
    model_name_or_path: Path = Field(description="Folder of the base model (config, tokenizer, safetensors).")
    dataset_dir: Path = Field(description="Folder with dataset_info.json, as a dataset version writes it.")
    dataset: str = Field("train", description="Entry of dataset_info.json to train on.")
    eval_dataset: str | None = Field(
        "eval", description="Entry of dataset_info.json for the held-out loss and the scores; empty: none."
    )
    finetuning_type: Literal["lora", "full"] = Field(
        "lora", description="lora: small adapter matrices beside frozen weights. full: every weight."
    )
    template: TemplateName = Field(
        "auto", description="How a conversation becomes text. auto: the one that fits the model."
    )
    cutoff_len: int = Field(
        512, ge=16, le=131072, description="Longest sample in tokens; a longer one is left out and listed."
    )
    learning_rate: float = Field(2e-4, gt=0, lt=1, description="Peak step size of AdamW.")
    num_train_epochs: float = Field(3.0, gt=0, le=1000, description="Passes over the training rows.")
    max_steps: int = Field(-1, ge=-1, description="Stop after this many optimizer steps; -1: by epochs.")
    per_device_train_batch_size: int = Field(8, ge=1, le=4096, description="Rows a device sees at once.")
    gradient_accumulation_steps: int = Field(
        1, ge=1, le=4096, description="Batches added up before one optimizer step."
    )
    lr_scheduler_type: Literal["cosine", "linear", "constant", "constant_with_warmup"] = Field(
        "cosine", description="How the learning rate falls after warmup."
    )
    warmup_ratio: float = Field(
        0.06, ge=0, lt=1, description="Share of the steps in which the learning rate rises."
    )
    weight_decay: float = Field(0.0, ge=0, le=10, description="AdamW's pull of the weights towards zero.")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients longer than this are shortened to it.")
    lora_rank: int = Field(16, ge=1, le=1024, description="Columns of each adapter matrix: its capacity.")
    lora_alpha: int | None = Field(
        None, ge=1, le=4096, description="Adapter output is scaled by alpha / rank; empty: twice the rank."
    )
    lora_dropout: float = Field(
        0.0, ge=0, lt=1, description="Share of adapter inputs dropped while training."
    )
    lora_target: str = Field(
        "all", description="all: every linear layer but the head; or module names separated by commas."
    )
    loraplus_lr_ratio: float | None = Field(
        None, ge=1, le=128, description="LoRA+: matrix B learns this many times faster than A; empty: off."
    )
    use_rslora: bool = Field(False, description="Scale by alpha / sqrt(rank), for high ranks.")
    use_dora: bool = Field(False, description="DoRA: learn direction and length apart; slower.")
    direct_share: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the rows that is learned a second time with an empty chain, for direct answers.",
    )
    label_weight: float = Field(
        3.0,
        ge=1,
        le=100,
        description="Weight in the loss of the tokens that name the category, in the think chain and behind it.",
    )
    seed: int = Field(42, ge=0, lt=2**32, description="Seed of shuffling, adapter start and dropout.")
    logging_steps: int = Field(5, ge=1, description="Steps between two points of the loss curve.")
    eval_steps: int = Field(0, ge=0, description="Steps between two held-out losses; 0: after every epoch.")
    save_steps: int = Field(0, ge=0, description="Steps between two checkpoints; 0: only at the end.")
    evaluate_after: tuple[AnswerMode, ...] = Field(
        ("chain", "direct"), description="How the held-out rows are answered and scored after training."
    )
    eval_limit: int | None = Field(
        None, ge=1, description="Score at most this many held-out rows; empty: all."
    )
    max_new_tokens: int = Field(256, ge=8, le=32768, description="Longest generated answer in tokens.")
    bf16: bool | None = Field(None, description="Compute in bfloat16; empty: on a GPU that has it.")

    @model_validator(mode="after")
    def _fields_fit_together(self) -> "TrainSpec":
        if self.finetuning_type != "lora" and (self.loraplus_lr_ratio or self.use_dora or self.use_rslora):
            raise ValueError(
                "loraplus_lr_ratio, use_dora and use_rslora need finetuning_type lora; remove them or choose lora."
            )
        return self

    @property
    def scaling_alpha(self) -> int:
        """lora_alpha, or its default of twice the rank."""
        return self.lora_alpha or 2 * self.lora_rank


class EvaluateSpec(_Frozen):
    """One evaluation: a model, with or without adapter, on the rows of a dataset."""

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["evaluate"] = Field("evaluate", description="What the worker is asked to do.")
    model_name_or_path: Path = Field(description="Folder of the base model.")
    adapter_name_or_path: Path | None = Field(
        None, description="Folder of a LoRA adapter; empty: the base alone."
    )
    template: TemplateName = Field("auto", description="How a conversation becomes text.")
    dataset_dir: Path = Field(description="Folder with dataset_info.json.")
    dataset: str = Field("eval", description="Entry of dataset_info.json to answer.")
    train_dataset: str | None = Field(
        "train", description="Entry whose rows train the TF-IDF baseline; empty: no baselines."
    )
    answer: AnswerMode = Field(
        "chain", description="chain: write the think chain, then the category. direct: score the categories."
    )
    limit: int | None = Field(None, ge=1, description="Answer at most this many rows; empty: all.")
    batch_size: int = Field(64, ge=1, le=4096, description="Rows answered at once.")
    cutoff_len: int = Field(512, ge=16, le=131072, description="Longest question in tokens.")
    max_new_tokens: int = Field(256, ge=8, le=32768, description="Longest generated answer in tokens.")
    seed: int = Field(42, ge=0, lt=2**32, description="Seed of the intervals' resampling.")
    run: str | None = Field(None, description="The training run that is evaluated, if it is one.")


class ServeSpec(_Frozen):
    """One model served over the OpenAI protocol."""

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["serve"] = Field("serve", description="What the worker is asked to do.")
    model_name_or_path: Path = Field(description="Folder of the base model.")
    adapter_name_or_path: Path | None = Field(
        None, description="Folder of a LoRA adapter; empty: the base alone."
    )
    template: TemplateName = Field("auto", description="How a conversation becomes text.")
    name: str = Field(description="Name of the model in the API.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(0, ge=0, le=65535, description="Port to listen on; 0: any free one, see address.json.")
    max_new_tokens: int = Field(256, ge=8, le=32768, description="Longest answer when a request sets none.")
    idle_seconds: float = Field(1800, gt=0, description="Stop after this long without a request.")


class PreviewSpec(_Frozen):
    """What a training would see of a dataset: its tokens counted, and some rows in full."""

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["preview"] = Field("preview", description="What the worker is asked to do.")
    model_name_or_path: Path = Field(description="Folder of the base model; only its tokenizer is read.")
    dataset_dir: Path = Field(description="Folder with dataset_info.json.")
    template: TemplateName = Field("auto", description="How a conversation becomes text.")
    label_weight: float = Field(3.0, ge=1, le=100, description="As in TrainSpec.")
    count: tuple[str, ...] = Field((), description="Entries of dataset_info.json whose rows are counted.")
    dataset: str = Field("train", description="Entry of dataset_info.json that `rows` belong to.")
    rows: tuple[int, ...] = Field((), description="Rows, from 0, that are written out token by token.")


class DraftSpec(_Frozen):
    """Think chains for labelled titles, drafted by a teacher at an OpenAI-compatible endpoint.

    It says where the key is, never the key itself. Errors do not repeat their input: an
    address may have carried a password.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["draft"] = Field("draft", description="What the worker is asked to do.")
    base_url: str = Field(description="Address of the endpoint up to and with /v1.")
    model: str = Field(min_length=1, description="Name of the teacher in the API.")
    key_file: Path | None = Field(None, description="File that holds the key; empty: none.")
    key_env: str | None = Field(
        None, description="Environment variable that holds the key, where there is no file."
    )
    temperature: float | None = Field(
        0.7, ge=0, le=2, description="How freely the teacher writes; empty: as the endpoint does by itself."
    )
    max_tokens: int = Field(
        1024, ge=16, le=131072, description="Longest answer in tokens, thoughts included."
    )
    concurrency: int = Field(4, ge=1, le=64, description="Titles asked about at once.")
    attempts: int = Field(4, ge=1, le=10, description="Tries a title before it counts as failed.")
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


RunSpec = Annotated[
    TrainSpec | EvaluateSpec | ServeSpec | PreviewSpec | DraftSpec, Field(discriminator="kind")
]
run_spec: TypeAdapter[RunSpec] = TypeAdapter(RunSpec)


class Step(_Frozen):
    """A point of the training curve. Times in seconds, memory in GiB."""

    event: Literal["step"] = "step"
    step: int
    total_steps: int
    epoch: float
    loss: float = Field(description="Mean loss per supervised token since the last point, in nats.")
    learning_rate: float
    grad_norm: float | None = None
    tokens_per_second: float = Field(description="Tokens of the samples (padding not counted) per second.")
    tokens_seen: int
    elapsed_seconds: float
    eta_seconds: float
    memory_gib: float


class HeldOut(_Frozen):
    """A point of the held-out curve: mean loss per supervised token, in nats."""

    event: Literal["held_out"] = "held_out"
    step: int
    epoch: float
    loss: float


class Progress(_Frozen):
    """How far the current phase is; `done` of `total` in its own unit."""

    event: Literal["progress"] = "progress"
    phase: Literal["loading", "training", "evaluating", "saving", "drafting"]
    done: int = 0
    total: int = 0
    eta_seconds: float | None = None
    answer: AnswerMode | None = None


Event = Annotated[Step | HeldOut | Progress, Field(discriminator="event")]
event: TypeAdapter[Event] = TypeAdapter(Event)


class Prediction(_Frozen):
    """One answered row. `predicted` is None when no category could be read."""

    row: int = Field(description="Position in the evaluated file, from 0.")
    title: str
    label: str = Field(description="The category that the dataset says.")
    label_chain: str = Field(description="The think chain of the dataset.")
    answer: AnswerMode
    predicted: str | None
    chain: str | None = Field(description="The generated think chain; None when there is none to read.")
    text: str = Field(description="The whole generated answer; empty for direct scoring.")
    probabilities: dict[str, float] | None = Field(
        None, description="Over the categories, after an empty chain; with answer direct only."
    )
    tokens: int = Field(0, description="Generated tokens.")
    forced: bool = Field(False, description="The think chain reached its limit and was closed from outside.")


class TitleToDraft(_Frozen):
    """A line of titles.jsonl: a labelled title without a think chain, and the decision that labelled it."""

    title_id: int
    decision_id: int
    title: str
    category: str


class Drafted(_Frozen):
    """A line of drafts.jsonl: what the teacher made of one title.

    `chain` is None when every try failed; `problem` then says why. `remarks` are the
    codes of what the chain lint has against the draft. Tokens as the endpoint counted
    them, over all tries; 0 where it does not tell.
    """

    title_id: int
    decision_id: int
    title: str
    category: str
    chain: str | None
    problem: str = ""
    remarks: tuple[str, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    attempts: int = 1


class CategoryScore(_Frozen):
    """Precision, recall and F1 of one category, 0 to 1, and its number of rows."""

    precision: float
    recall: float
    f1: float
    support: int


class Confusion(_Frozen):
    """counts[i][j]: rows of category rows[i] that were answered as columns[j].

    The last column is UNPARSED: answers in which no category could be read.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


UNPARSED = "unparsed"


class Piece(_Frozen):
    """The smallest run of tokens that is whole characters, nearly always one token."""

    text: str
    ids: tuple[int, ...]
    learned: bool = Field(description="Whether the loss counts these tokens.")
    weight: float = Field(description="Their weight in the loss; 1 for most.")


class SeenRow(_Frozen):
    """A row as training sees it, with its think chain and, for direct answers, with an empty one."""

    row: int
    chain: tuple[Piece, ...]
    direct: tuple[Piece, ...]


class PreviewFile(_Frozen):
    """preview.json. Lengths are tokens of the whole training text, prompt and answer."""

    format_version: Literal[1] = 1
    template: TemplateName = Field(description="The template itself, where the spec said auto.")
    lengths: dict[str, tuple[int, ...]] = Field(description="Of every row of each counted entry.")
    rows: tuple[SeenRow, ...]


class Scores(_Frozen):
    """What an evaluation measured; rates are 0 to 1, ROUGE and BLEU 0 to 100."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    answer: AnswerMode
    n: int
    accuracy: float
    accuracy_interval: tuple[float, float] = Field(description="95 % Wilson interval.")
    macro_f1: float
    per_category: dict[str, CategoryScore]
    confusion: Confusion
    unparsed: int
    forced: int = Field(0, description="Answers whose think chain was closed at its limit.")
    rouge_1: float | None = Field(None, alias="rouge-1")
    rouge_2: float | None = Field(None, alias="rouge-2")
    rouge_l: float | None = Field(None, alias="rouge-l")
    bleu_4: float | None = Field(None, alias="bleu-4")
    samples_per_second: float
    baselines: dict[str, float] = Field(description="Accuracy of `majority` and `tfidf` on the same rows.")


class ScoreFile(_Frozen):
    """scores.json: one entry for each way of answering that was measured."""

    format_version: Literal[1] = 1
    evaluations: dict[AnswerMode, Scores]


class Result(_Frozen):
    """result.json, moved into place when the worker ends."""

    format_version: Literal[1] = 1
    status: Literal["done", "failed", "cancelled"]
    message: str = Field("", description="What happened, when not done.")
    remedy: str = Field("", description="What to do about it.")
    seconds: float = Field(description="Wall time of the worker, start-up included.")
    peak_memory_gib: float
    checkpoint: str | None = Field(None, description="The last checkpoint, relative to the run folder.")
    train_loss: float | None = Field(None, description="Mean loss over all training steps, in nats.")
    left_out: tuple[int, ...] = Field(
        (), description="Rows longer than cutoff_len, from 0; they were not learned."
    )
    versions: dict[str, str] = Field(default_factory=dict, description="Packages, Python, device.")


def spec_error(error: Exception) -> tuple[str, str]:
    """Problem and remedy for a spec that did not validate."""
    return (
        say(f"任务参数不可用：{error}", f"The spec cannot be used: {error}"),
        say("请改正上面列出的字段。", "Mend the fields listed above."),
    )
