"""Speed up training on a GPU: fused modules, a chunked loss, attention over packed samples.

Pure torch, and not liger-kernel, cut-cross-entropy or flash-attn. Those are Triton or CUDA code: a second
compiler in every installation, nothing for a CPU, where the tests and most users of a small model are, and
patches for a list of architectures by name. Here a module is replaced if its class is the plain one or a
trial shows that it computes the plain formula, and the tests compare loss and gradients with those of
transformers and peft on a CPU; attention, whose kernel is torch's own and needs a GPU, is compared there
before it is used. Speed was measured: at the 7B shape, 16 rows a step, training reaches 53.6 % of the card's
matrix rate, LLaMA-Factory with liger and packing 33.3 % (docs/experiments.md, 2026-11-26, "the tutorial's
job on one GPU").

    speedups          Patch a model on a GPU with all of these.
    fused_modules     Fuse LoRA, RMSNorm and the gated product: fewer kernels, fewer kept tensors.
    chunked_loss      Compute cross-entropy in chunks, never holding all logits.
    varlen_attention  Compute attention over packed samples without padding.
    decode_attention  Attend from one new token a row to its own keys and values.
    decode_kernel     The Triton kernel of decode_attention.
"""
