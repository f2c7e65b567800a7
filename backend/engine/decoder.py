"""Run the model for the engine: prefill rows, and decode one token of every row.

On a GPU a step is a captured graph, one for each padded number of rows: what Python and the
launches of some 500 kernels cost is then paid once. On a CPU a step is an ordinary forward.
"""

import logging
import types
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from backend.engine.attention import Reading, reads
from backend.engine.cache import KeyValueCache
from backend.engine.rows import RowState, RowView
from backend.engine.sampling import Chosen, Plan, TokenChooser
from backend.kernels.decode_attention import agrees

log = logging.getLogger(__name__)

_SMALL = (1, 2, 4, 8, 16, 32, 48, 64, 96)


def padded_rows(count: int) -> int:
    """Round a number of rows up to one that a graph is captured for."""
    return next((size for size in _SMALL if size >= count), -(-count // 64) * 64)


class Decoder:
    """A model with its cache and its rows' state."""

    def __init__(self, model: PreTrainedModel, chooser: TokenChooser, *, rows: int, places: int) -> None:
        self.model: Any = model
        self.device = next(model.parameters()).device
        self.chooser = chooser
        self.chooser.last_place = places - 1
        self.cache = KeyValueCache(rows, places)
        self.state = RowState(rows, self.device)
        self.graphs: dict[tuple[int, Plan], tuple[torch.cuda.CUDAGraph, Chosen | None]] = {}
        self.has_kernel = self.device.type == "cuda" and _kernel_fits(model, self.device)
        self._pool: Any = None
        if self.has_kernel:
            # Here, not above: it brings peft, which takes seconds to import, and a CPU needs none of it.
            from backend.kernels.fused_modules import fuse

            fuse(model)
            _keep_logits_exact(model)

    def reserve(self, rows: int, places: int) -> None:
        """Enlarge cache and state where they are too small."""
        if rows <= self.cache.rows and places <= self.cache.places:
            return
        if self.graphs:
            # A graph has the addresses of the old memory, and the last one may still be running.
            torch.cuda.synchronize()
        self.graphs.clear()
        rows, places = max(rows, self.cache.rows), max(places, self.cache.places)
        self.cache.grow(rows, places)
        self.chooser.last_place = places - 1
        self.state.grow(rows)

    def prefill(self, first: int, prompts: Sequence[Sequence[int]], start: int) -> None:
        """Compute keys and values of prompts, a row each from `first` on; `start` tokens are there."""
        rows = (first, first + len(prompts))
        longest = max(map(len, prompts))
        ids = torch.zeros((len(prompts), longest), dtype=torch.int64)
        for index, prompt in enumerate(prompts):
            ids[index, : len(prompt)] = torch.tensor(prompt)
        places = torch.arange(start, start + longest, device=self.device).expand(len(prompts), -1)
        with reads(Reading(cache=self.cache, rows=rows, start=start, end=start + longest)):
            self._forward(ids.to(self.device), places)

    def decode(
        self, count: int, longest: int, plan: Plan, allowed: Sequence[tuple[int, Tensor]] = ()
    ) -> Chosen | None:
        """Compute the last tokens of the first rows, choose their next ones; at most `longest` are before."""
        if not self.has_kernel:
            return self._step(count, longest, plan, allowed)
        size = min(padded_rows(count), self.cache.rows)
        if allowed:
            return self._step(size, longest, plan, allowed)
        if (size, plan) not in self.graphs:
            self.graphs[size, plan] = self._capture(size, plan)
        graph, chosen = self.graphs[size, plan]
        graph.replay()
        return chosen

    def _step(
        self, count: int, longest: int, plan: Plan, allowed: Sequence[tuple[int, Tensor]] = ()
    ) -> Chosen | None:
        rows = self.state.view(count)
        logits = self._logits(rows, count, longest)
        return self.chooser(logits, rows, plan, allowed)

    def _logits(self, rows: RowView, count: int, longest: int) -> Tensor:
        end = longest + 1
        bias = None
        if not self.has_kernel:
            seen = torch.arange(end, device=self.device) <= rows.length[:, None]
            bias = torch.zeros(seen.shape, dtype=self.model.dtype, device=self.device)
            bias = bias.masked_fill_(~seen, -torch.inf)[:, None, None, :]
        reading = Reading(
            cache=self.cache, rows=(0, count), start=None, end=end, lengths=rows.length, bias=bias
        )
        with reads(reading):
            logits: Tensor = self._forward(rows.token[:, None], rows.length[:, None]).logits
        return logits[:, -1]

    def _forward(self, ids_BT: Tensor, places_BT: Tensor) -> Any:
        return self.model(
            input_ids=ids_BT,
            position_ids=places_BT,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )

    def _capture(self, size: int, plan: Plan) -> tuple[torch.cuda.CUDAGraph, Chosen | None]:
        """Capture a step of so many rows; those behind the live ones compute what nobody reads."""
        before = self.state.ints.clone(), self.state.floats.clone()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self._step(size, self.cache.places - 1, plan)
        torch.cuda.current_stream().wait_stream(side)
        self.state.ints.copy_(before[0])
        self.state.floats.copy_(before[1])
        graph = torch.cuda.CUDAGraph()
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        with torch.cuda.graph(graph, pool=self._pool):
            chosen = self._step(size, self.cache.places - 1, plan)
        return graph, chosen


def _kernel_fits(model: PreTrainedModel, device: torch.device) -> bool:
    config = model.config.get_text_config()
    heads = config.num_attention_heads
    width = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
    key_heads = getattr(config, "num_key_value_heads", None) or heads
    fits = agrees(heads, key_heads, width, model.dtype, device)
    log.info("attention of the engine: %s", "the decode kernel" if fits else "torch's")
    return fits


def _keep_logits_exact(model: PreTrainedModel) -> None:
    """Have the head return float32: rounded to bfloat16, logits of 16 to 32 are off by up to 0.06."""
    head = model.get_output_embeddings()
    if type(head) is not nn.Linear or head.bias is not None or head.weight.dtype == torch.float32:
        return

    def forward(self: nn.Linear, hidden: Tensor) -> Tensor:
        rows = hidden.reshape(-1, hidden.shape[-1])
        return torch.mm(rows, self.weight.T, out_dtype=torch.float32).view(*hidden.shape[:-1], -1)

    try:
        with torch.no_grad():
            forward(head, head.weight[:2])
    except (RuntimeError, TypeError, NotImplementedError) as error:
        log.info("logits stay in %s (%s)", head.weight.dtype, str(error).splitlines()[0])
        return
    head.forward = types.MethodType(forward, head)
