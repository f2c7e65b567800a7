"""Serve several adapters of one base: an engine for each, stepped in turn over the same weights.

The adapters stay beside the base, and one of them (or none) is active in a step: rows of one adapter
are computed together, those of another in a step of their own. Used in the engine's thread alone.
"""

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

from peft import PeftModel

from backend.engine.engine import Engine, Job
from backend.engine.requests import Piece, Request


class AdapterSwitch:
    """Chooses which adapter of a model is active; without adapters there is nothing to choose."""

    def __init__(self, model: PeftModel | None = None) -> None:
        self._tuner: Any = model.base_model if model else None
        self._active: str | None = ""

    def choose(self, adapter: str | None) -> None:
        """Make an adapter the active one; None: the base alone."""
        if self._tuner is None or adapter == self._active:
            return
        if adapter is None:
            self._tuner.disable_adapter_layers()
        else:
            self._tuner.enable_adapter_layers()
            self._tuner.set_adapter(adapter, inference_mode=True)
        self._active = adapter


class AdapterEngines:
    """What an engine is for the loop that steps it: here several, by the name of the model."""

    def __init__(
        self, engines: Mapping[str, Engine], adapters: Mapping[str, str | None], switch: AdapterSwitch
    ) -> None:
        self._engines = engines
        self._adapters = adapters
        self._switch = switch

    @property
    def live(self) -> list[Job]:
        """All jobs that are computed."""
        return list(chain.from_iterable(engine.live for engine in self._engines.values()))

    @property
    def waiting(self) -> list[Job]:
        """All jobs that wait."""
        return list(chain.from_iterable(engine.waiting for engine in self._engines.values()))

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything."""
        return any(engine.has_work for engine in self._engines.values())

    def submit(self, request: Request, on_piece: Callable[[Piece], None] | None = None) -> Job:
        """Queue a request at the engine of its model."""
        assert request.adapter is not None, request
        return self._engines[request.adapter].submit(request, on_piece)

    def step(self) -> list[Job]:
        """Compute one token of every live row; return the jobs that ended."""
        ended: list[Job] = []
        for name, engine in self._engines.items():
            if engine.has_work:
                self._switch.choose(self._adapters[name])
                ended += engine.step()
        return ended
