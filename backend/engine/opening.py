"""Open what answers titles, as a spec names it: a model loaded here, or one at an endpoint."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from transformers import GenerationConfig

from backend.data.templates import Renderer
from backend.engine.endpoint import EndpointAnswering
from backend.engine.local import LocalAnswering
from backend.engine.titles import Answering
from backend.modeling.tokenizers import load_tokenizer
from studio.contract import AnsweringSpec
from studio.samples.scheme import Scheme


@contextmanager
def open_answering(spec: AnsweringSpec, scheme: Scheme, *, failures_in_a_row: int = 1) -> Iterator[Answering]:
    """Load the model of a spec, or connect to its endpoint, for as long as it is used.

    Args:
        spec: which model, and how it answers.
        scheme: prompt and categories.
        failures_in_a_row: titles that an endpoint may fail in succession before it counts as down.

    Raises:
        StudioError: the model cannot be loaded, or the endpoint's key is not there.
    """
    if spec.endpoint is not None:
        with closing(_at_endpoint(spec, scheme, failures_in_a_row)) as answering:
            yield answering
        return
    # Here: it imports peft, which an endpoint's job does without and which takes half of its start.
    from backend.modeling.loading import load_model, on_device

    assert spec.model_name_or_path is not None, "the spec's own check"
    tokenizer = load_tokenizer(spec.adapter_name_or_path or spec.model_name_or_path, spec.model_name_or_path)
    model = on_device(load_model(spec.model_name_or_path, spec.adapter_name_or_path))
    yield LocalAnswering.of(spec, model, Renderer(tokenizer, spec.template), scheme)


def _at_endpoint(spec: AnsweringSpec, scheme: Scheme, failures_in_a_row: int) -> EndpointAnswering:
    """Answer at the spec's endpoint; where its model is known, with that one's tokenizer and template."""
    assert spec.endpoint is not None
    renderer, penalty = None, 1.0
    if spec.model_name_or_path is not None:
        folder = spec.adapter_name_or_path or spec.model_name_or_path
        renderer = Renderer(load_tokenizer(folder, spec.model_name_or_path), spec.template)
        penalty = _own_penalty(spec.model_name_or_path)
    return EndpointAnswering(
        spec.endpoint,
        scheme,
        renderer=renderer,
        max_new_tokens=spec.max_new_tokens,
        penalty=penalty,
        failures_in_a_row=failures_in_a_row,
    )


def _own_penalty(folder: Path) -> float:
    """Read the repetition penalty of a model's generation config; 1 without one."""
    try:
        return float(GenerationConfig.from_pretrained(folder).repetition_penalty or 1.0)
    except OSError:
        return 1.0
