"""What all parts of the contract share."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

TemplateName = Literal["auto", "deepseek3", "deepseekr1", "qwen", "qwen3", "chatml", "default", "tokenizer"]
AnswerMode = Literal["chain", "direct"]


class Frozen(BaseModel):
    """A document that crosses the border: it cannot change, and knows every field it has."""

    model_config = ConfigDict(extra="forbid", frozen=True)
