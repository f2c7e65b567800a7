"""Loading a base model, making it trainable in the way the spec asks for, saving what was trained.

    loading    weights from disk, quantized or not, with or without an adapter
    adapters   LoRA and its kinds, a saved adapter to go on from, PiSSA made portable
    freezing   some layers of the model itself
    optimizers LoRA+ parameter groups
    names      which modules a spec may name

No code that a model folder brings is run, and no pickle is read: see backend.modeling.trust.
"""

from backend.modeling.loading import load_for_training as load_for_training
from backend.modeling.loading import load_model as load_model
from backend.modeling.loading import on_device as on_device
from backend.modeling.loading import uses_bf16 as uses_bf16
from backend.modeling.methods import finished_model as finished_model
from backend.modeling.methods import make_trainable as make_trainable
from backend.modeling.methods import save_trained as save_trained
from backend.modeling.optimizers import make_optimizer as make_optimizer
from backend.modeling.tokenizers import load_tokenizer as load_tokenizer  # whoever loads a model wants both
