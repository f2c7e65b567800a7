"""The Triton kernel of decode_attention; a module of its own, since Triton exists only beside a GPU."""

import triton
import triton.language as tl


@triton.jit
def attend_kernel(
    query, new_key, new_value, keys, values, lengths, out,
    q_row, q_head, k_row, k_head, v_row, v_head,
    key_row, key_head, key_place, value_row, value_head, value_place,
    o_row, o_head, length_row, scale, window, softcap,
    G: tl.constexpr, G_PAD: tl.constexpr, D: tl.constexpr, D_PAD: tl.constexpr, N: tl.constexpr,
    HAS_WINDOW: tl.constexpr, HAS_SOFTCAP: tl.constexpr,
):  # fmt: skip
    """Attend for one row and one key head; see decode_attention.attend_one_token."""
    row = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1).to(tl.int64)
    length = tl.load(lengths + row * length_row).to(tl.int64)
    g = tl.arange(0, G_PAD)
    d = tl.arange(0, D_PAD)
    of_width = d < D
    q = tl.load(
        query + row * q_row + (head * G + g[:, None]) * q_head + d[None, :],
        mask=(g[:, None] < G) & of_width[None, :], other=0.0,
    )  # fmt: skip
    k_new = tl.load(new_key + row * k_row + head * k_head + d, mask=of_width, other=0.0)
    v_new = tl.load(new_value + row * v_row + head * v_head + d, mask=of_width, other=0.0)
    key_of = keys + row * key_row + head * key_head
    value_of = values + row * value_row + head * value_head
    tl.store(key_of + length * key_place + d, k_new, mask=of_width)
    tl.store(value_of + length * value_place + d, v_new, mask=of_width)

    # The new token comes from registers: what was just stored need not be visible yet.
    score = tl.sum(q.to(tl.float32) * k_new.to(tl.float32)[None, :], axis=1) * scale
    if HAS_SOFTCAP:
        score = softcap * (2 * tl.sigmoid(2 * score / softcap) - 1)
    most = score
    total = tl.full([G_PAD], 1.0, tl.float32)
    sums = tl.zeros([G_PAD, D_PAD], tl.float32) + v_new.to(tl.float32)[None, :]
    first = length * 0
    if HAS_WINDOW:
        first = tl.maximum(length - window + 1, 0)
    n = tl.arange(0, N)
    for begin in range((first // N) * N, length, N):
        place = begin + n
        seen = (place < length) & (place >= first)
        k = tl.load(
            key_of + place[:, None] * key_place + d[None, :],
            mask=seen[:, None] & of_width[None, :], other=0.0,
        )  # fmt: skip
        v = tl.load(
            value_of + place[:, None] * value_place + d[None, :],
            mask=seen[:, None] & of_width[None, :], other=0.0,
        )  # fmt: skip
        scores = tl.dot(q, tl.trans(k), out_dtype=tl.float32, input_precision="ieee") * scale
        if HAS_SOFTCAP:
            scores = softcap * (2 * tl.sigmoid(2 * scores / softcap) - 1)
        scores = tl.where(seen[None, :], scores, float("-inf"))
        higher = tl.maximum(most, tl.max(scores, axis=1))
        shrink = tl.exp(most - higher)
        weights = tl.exp(scores - higher[:, None])
        total = total * shrink + tl.sum(weights, axis=1)
        sums = sums * shrink[:, None] + tl.dot(
            weights.to(v.dtype), v, out_dtype=tl.float32, input_precision="ieee"
        )
        most = higher
    result = sums / total[:, None]
    tl.store(
        out + row * o_row + (head * G + g[:, None]) * o_head + d[None, :],
        result.to(out.dtype.element_ty), mask=(g[:, None] < G) & of_width[None, :],
    )  # fmt: skip
