"""Define the base class of all models of the contract, and the types that they share."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator

from studio.language import packed, unpacked

TemplateName = Literal["auto", "deepseek3", "deepseekr1", "qwen", "qwen3", "chatml", "default", "tokenizer"]
AnswerMode = Literal["chain", "direct"]


class Frozen(BaseModel):
    """A document of the contract: immutable, and without unknown fields.

    A loss may be NaN; as "NaN" it survives the file, as null it would not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


Text = Annotated[str, PlainValidator(unpacked), PlainSerializer(packed)]
"""A text that a person reads, in a file: {"zh", "en"} where both are known, so that its reader gets
theirs."""
