"""Load base models, make them trainable, and save what was trained.

No code that a model folder brings is run, and no pickle is read, unless an admin allows it: see trust.
Nothing is re-exported: a token preview needs a tokenizer, and peft beside it would cost it 2.4 s and 140 MB.

    trust           Decide which model folders may bring pickles and code.
    tokenizers      Load a tokenizer without its model.
    loading         Load weights from disk, quantized or not, with or without an adapter.
    base_cache      Cache the base model between the runs of a sweep.
    adapters        Create, attach and save LoRA adapters (rsLoRA, DoRA, PiSSA).
    layer_freezing  Freeze all but some layers.
    quantizing      Quantize frozen weights to 4 or 8 bit (QLoRA).
    methods         Make a model trainable by the spec's method, and save what it trained.
    module_names    Find the modules that a spec names.
    optimizers      Build optimizer parameter groups for LoRA+.
"""
