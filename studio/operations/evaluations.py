"""Build the spec of an evaluation: of a model that is here, of one at an endpoint, or of both in one."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from studio.contract import EndpointSpec, EvaluateSpec, TemplateName, spec_error
from studio.errors import InputError
from studio.language import say

Target = tuple[Path, Path | None, TemplateName, str | None]
"""Model, adapter, template and run id, as resolve_target returns them."""

LONGEST_AT_ENDPOINT = 2048
"""Tokens of an answer that a foreign model may write: those that think need more than ours."""


def evaluation_spec(
    target: Target | None, dataset_dir: Path, endpoint: EndpointSpec | None = None, **fields: Any
) -> EvaluateSpec:
    """Build and validate a spec; with an endpoint, `target` is the model that it serves, if that is known.

    Raises:
        InputError: neither model nor endpoint, scores of a model whose tokenizer is not known, or a field
            that cannot be used.
    """
    if target is None and endpoint is None:
        raise InputError(
            say("没有指明要评估的模型。", "No model to evaluate was named."),
            remedy=say(
                "请给出一个运行或模型，或用 --endpoint 指明接口。",
                "Name a run or a model, or an endpoint with --endpoint.",
            ),
        )
    if target is None and fields.get("answer") == "direct":
        raise InputError(
            say(
                "直接打分要知道接口上模型的分词器。",
                "Direct scoring needs the tokenizer of the model at the endpoint.",
            ),
            remedy=say(
                "请同时指明接口上是哪个本地模型或运行，或改用思维链方式（chain）。",
                "Name the run or model of this machine that it serves as well, or answer with chain.",
            ),
        )
    if target is None:
        fields = {"max_new_tokens": LONGEST_AT_ENDPOINT, **fields}
    model, adapter, template, run = target or (None, None, "auto", None)
    try:
        return EvaluateSpec(
            engine="endpoint" if endpoint else "local",
            endpoint=endpoint,
            model_name_or_path=model,
            adapter_name_or_path=adapter,
            template=template,
            run=run,
            dataset_dir=dataset_dir,
            **fields,
        )
    except ValidationError as error:
        problem, remedy = spec_error(error)
        raise InputError(problem, remedy=remedy) from error
