"""Hold the keys and values of all rows: one block of memory a layer, one line a row.

B rows, K key heads, T tokens, S places, D width of a head.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer


class KeyValueCache(Cache):
    """Keys and values of every row and layer, each (rows, K, S, D), allocated when the first are written.

    The live rows are always the first ones, so that a step reads a view and not a copy. It is a
    cache of transformers in name only: `update` passes on what it gets, and attention does the rest.
    """

    def __init__(self, rows: int, places: int) -> None:
        super().__init__(layer_class_to_replicate=DynamicLayer)
        self.rows = rows
        self.places = places
        self.keys: dict[int, Tensor] = {}
        self.values: dict[int, Tensor] = {}

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Return the new keys and values as they are; `write` or `append` stores them."""
        if layer_idx not in self.keys:
            shape = (self.rows, key_states.shape[1], self.places, key_states.shape[-1])
            self.keys[layer_idx] = key_states.new_zeros(shape)
            self.values[layer_idx] = value_states.new_zeros((*shape[:3], value_states.shape[-1]))
        return key_states, value_states

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return 0: positions are always given."""
        return 0

    def write(self, layer: int, rows: tuple[int, int], start: int, key: Tensor, value: Tensor) -> None:
        """Write (B, K, T, D) from the same place on in all rows."""
        end = start + key.shape[2]
        self.keys[layer][rows[0] : rows[1], :, start:end] = key
        self.values[layer][rows[0] : rows[1], :, start:end] = value

    def append(self, layer: int, rows: tuple[int, int], places: Tensor, key: Tensor, value: Tensor) -> None:
        """Write (B, K, 1, D), in each row at its own place."""
        row = torch.arange(*rows, device=places.device)
        self.keys[layer][row, :, places] = key[:, :, 0]
        self.values[layer][row, :, places] = value[:, :, 0]

    def read(self, layer: int, rows: tuple[int, int], end: int) -> tuple[Tensor, Tensor]:
        """View the first places of rows: (B, K, end, D) twice."""
        first, behind = rows
        return self.keys[layer][first:behind, :, :end], self.values[layer][first:behind, :, :end]

    def whole(self, layer: int, rows: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """View all places of rows: (B, K, S, D) twice."""
        return self.read(layer, rows, self.places)

    def move(self, source: Tensor, target: Tensor, end: int) -> None:
        """Copy the first places of rows over those of others; no row is both."""
        for stored in (*self.keys.values(), *self.values.values()):
            stored[target, :, :end] = stored[source, :, :end]

    def copy_out(self, row: int, end: int) -> list[tuple[Tensor, Tensor]]:
        """Copy the first places of a row: per layer (K, end, D) twice."""
        return [
            (self.keys[layer][row, :, :end].clone(), self.values[layer][row, :, :end].clone())
            for layer in sorted(self.keys)
        ]

    def copy_in(self, rows: tuple[int, int], prefix: list[tuple[Tensor, Tensor]]) -> None:
        """Write what `copy_out` returned to the first places of rows."""
        end = prefix[0][0].shape[1]
        for layer, (key, value) in enumerate(prefix):
            self.keys[layer][rows[0] : rows[1], :, :end] = key
            self.values[layer][rows[0] : rows[1], :, :end] = value

    def grow(self, rows: int, places: int) -> None:
        """Enlarge to so many rows and places, keeping what is stored."""
        for held in (self.keys, self.values):
            for layer, old in held.items():
                new = old.new_zeros((rows, old.shape[1], places, old.shape[3]))
                new[: old.shape[0], :, : old.shape[2]] = old
                held[layer] = new
        self.rows, self.places = rows, places
