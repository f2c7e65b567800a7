"""An engine that fails takes its server with it: whoever waits is told, and nobody waits for ever."""

import pytest

from backend.engine.requests import Decoding
from backend.serving.errors import ApiError
from backend.serving.served_models import ModelSet
from studio.contract import ServeSpec
from studio.samples.scheme import load_scheme


def test_after_a_failure_of_the_engine_everybody_is_told_and_the_server_is_asked_to_end(model):
    models = ModelSet(ServeSpec(model_name_or_path=model, name="tiny"), load_scheme())
    asked = []
    models.on_failure = lambda: asked.append(True)
    served = models.find("tiny")
    prompt = models.chat_prompt(served, [{"role": "user", "content": "x"}], thinks=True, param="messages")
    # A token that the model has no row for: what the checks before the engine keep from it.
    (ticket,) = models.submit(served, [[10**6, *prompt]], [Decoding(max_new_tokens=4)])
    with pytest.raises(Exception, match="index out of range"):
        list(ticket.pieces())
    with pytest.raises(ApiError) as refused:
        models.submit(served, [prompt], [Decoding(max_new_tokens=4)])
    assert refused.value.status == 503 and models.failed and asked
    models.close()
