"""Score continuations, such as the ten categories, by their probability after a prompt.

All continuations of a prompt are computed in one forward, as a tree behind it: what two of them
begin with is computed once, and a token sees the prompt and the tokens that lead to it.

B rows, T tokens of the longest prompt, N nodes of the tree, K continuations, P tokens of a shared
beginning, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from backend.engine.prefixes import SHORTEST, common_length


@dataclass(frozen=True)
class Tree:
    """Continuations as a tree: the nodes are tokens that another token follows.

    Args:
        tokens: of the nodes, (N,).
        parents: the node before each; -1: the prompt.
        paths: of each continuation, its tokens with the node before each.
    """

    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    paths: tuple[tuple[tuple[int, int], ...], ...]

    @staticmethod
    def of(continuations: Sequence[Sequence[int]]) -> "Tree":
        """Build the tree of continuations."""
        nodes: dict[tuple[int, ...], int] = {}
        tokens: list[int] = []
        parents: list[int] = []
        paths = []
        for row in continuations:
            path, before = [], -1
            for place, token in enumerate(row):
                path.append((before, token))
                if place == len(row) - 1:
                    break
                key = tuple(row[: place + 1])
                if key not in nodes:
                    nodes[key] = len(tokens)
                    tokens.append(token)
                    parents.append(before)
                before = nodes[key]
            paths.append(tuple(path))
        return Tree(tuple(tokens), tuple(parents), tuple(paths))

    @cached_property
    def depths(self) -> list[int]:
        """Count the nodes before each."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(depths[parent] + 1 if parent >= 0 else 0)
        return depths

    @cached_property
    def sees(self) -> Tensor:
        """Which nodes each node sees, itself included, (N, N)."""
        size = len(self.tokens)
        sees = torch.eye(size, dtype=torch.bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                sees[node] |= sees[parent]
        return sees


class ContinuationScorer:
    """Computes log probabilities of continuations, with the keys and values of a shared beginning at hand."""

    def __init__(self, model: PreTrainedModel, continuations: Sequence[Sequence[int]]) -> None:
        self.model: Any = model
        self.tree = Tree.of(continuations)
        self._shared: tuple[int, ...] = ()
        self._stored: list[tuple[Tensor, Tensor]] = []

    @torch.inference_mode()
    def __call__(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Compute the log probability of each continuation after each prompt, (B, K), in nats."""
        start = self._share(prompts)
        device = next(self.model.parameters()).device
        tree, rows = self.tree, len(prompts)
        rest = [list(prompt[start:]) for prompt in prompts]
        longest, nodes = max(map(len, rest)), len(tree.tokens)
        # Padded on the left: the logits that are needed are then the last ones of every row.
        ids = torch.tensor([[0] * (longest - len(row)) + row + list(tree.tokens) for row in rest])
        lengths = torch.tensor([len(row) for row in rest])
        offsets = torch.arange(longest) - (longest - lengths)[:, None]
        depths = torch.tensor(tree.depths, dtype=torch.int64)
        places = torch.cat(
            [offsets.clamp(min=0) + start, (start + lengths)[:, None] + depths.expand(rows, -1)], 1
        )
        seen = self._seen(offsets >= 0, start)
        logits = self._forward(ids.to(device), places.to(device), seen.to(device), rows, start, nodes + 1)
        return self._gathered(logits)

    def _seen(self, real_BT: Tensor, start: int) -> Tensor:
        """Which places each token sees, (B, 1, T + N, P + T + N)."""
        rows, longest = real_BT.shape
        nodes = len(self.tree.tokens)
        size = longest + nodes
        seen = torch.zeros((rows, 1, size, start + size), dtype=torch.bool)
        seen[..., :start] = True
        causal = torch.ones(longest, longest, dtype=torch.bool).tril()
        seen[:, 0, :longest, start : start + longest] = causal & real_BT[:, None, :]
        seen[:, 0, longest:, start : start + longest] = real_BT[:, None, :]
        seen[:, 0, longest:, start + longest :] = self.tree.sees
        # A token of the padding that saw nothing would be no number, and spread.
        own = torch.arange(size)
        seen[:, 0, own, start + own] = True
        return seen

    def _forward(self, ids: Tensor, places: Tensor, seen: Tensor, rows: int, start: int, kept: int) -> Tensor:
        cache = None
        if start:
            cache = DynamicCache(
                [tuple(x[:, :, :start].expand(rows, -1, -1, -1) for x in pair) for pair in self._stored]
            )
        logits: Tensor = self.model(
            input_ids=ids,
            attention_mask=seen,
            position_ids=places,
            past_key_values=cache,
            use_cache=cache is not None,
            logits_to_keep=kept,
        ).logits
        return logits[:, -kept:]

    def _gathered(self, logits_BNV: Tensor) -> Tensor:
        """Sum each path's log probabilities, (B, K)."""
        nodes = sorted({before for path in self.tree.paths for before, _ in path})
        columns: dict[tuple[int, int], Tensor] = {}
        for node in nodes:
            # One node at a time: log probabilities of all at once would take gigabytes.
            scores_BV = logits_BNV[:, node + 1].float()
            tokens = sorted({token for path in self.tree.paths for before, token in path if before == node})
            log_p = scores_BV[:, tokens] - scores_BV.logsumexp(dim=-1, keepdim=True)
            columns |= {(node, token): log_p[:, place] for place, token in enumerate(tokens)}
        return torch.stack([sum(columns[step] for step in path) for path in self.tree.paths], dim=1)  # type: ignore[misc]

    def _share(self, prompts: Sequence[Sequence[int]]) -> int:
        """Compute what all prompts begin with, if it is worth it; return its length."""
        shortest = min(map(len, prompts))
        known = common_length([self._shared, *prompts]) if self._shared else 0
        if known == len(self._shared) and SHORTEST <= known < shortest:
            return known
        common = min(common_length(prompts), shortest - 1)
        if len(prompts) < 2 or common < SHORTEST:
            return 0
        device = next(self.model.parameters()).device
        ids = torch.tensor([list(prompts[0][:common])], device=device)
        cache: Any = DynamicCache(config=self.model.config)
        self.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        self._shared = tuple(prompts[0][:common])
        self._stored = [(layer.keys, layer.values) for layer in cache.layers]
        return common
