"""Programs that need torch: train, evaluate, serve.

OpenMP threads wait asleep instead of spinning. On a machine whose cores also run the
web app and a browser, spinning threads keep the one they wait for from its core: a
training step took 2.6 to 4.3 times as long (docs/experiments.md, 2026-11-24). It must
be said before torch loads its OpenMP library, hence here.

Nothing here is compiled by torch. bitsandbytes, which peft imports wherever it is installed,
asks for it all the same, and torch would load its whole compiler for that: a quarter of the
time from process start to first step.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("KMP_BLOCKTIME", "0")
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
# Batches of changing length leave holes in the GPU's memory that no later batch fits; segments that grow do not.
os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")
