"""Programs that compute: train, evaluate and serve a model. Each knows a run folder, never a workspace.

`python -m backend.PROGRAM RUN_FOLDER` reads `spec.json`, appends events to `metrics.jsonl` and moves
`result.json` into place last. Studio starts it by that command line and never imports it.

    train          Train one run: LoRA, freeze or full; resume where it stopped, then evaluate.
    sweep          Train the runs of a hyperparameter sweep one after the other, the base loaded once.
    range_test     Run a learning-rate range test.
    evaluate       Answer held-out rows and score the answers.
    influence      Compute what training rows did to wrong answers, and whose labels the others contradict.
    classify       Answer the titles of a sheet.
    behaviour      Answer the changed titles of behavioural tests.
    sample         Sample several answers to every row, for its label to judge.
    forgetting     Probe what fine-tuning made a model forget.
    serve          Serve models over the OpenAI protocol, with /v1/classify.
    preview        Count and show the tokens that training would see.
    draft          Let a teacher model draft think chains. Needs no torch.
    download       Download a base model from ModelScope. Needs no torch.

Rows of a dataset folder become conversations, a template renders them to text, a tokenizer to tensors
(data); a base model is loaded and given an adapter or unfrozen layers (modeling), its slow parts are
patched (kernels); the loop takes batches, evaluates, writes checkpoints (training). A checkpoint is
merged (modeling) and answers (engine), the answers are scored by studio.evaluation.scores.

    data           Turn dataset folders into batches of tensors.
    modeling       Load base models and put adapters on them.
    engine         Answer requests with a model: continuous batching, sampling, scoring.
    training       Run the training loop: loss, held-out evaluation, checkpoints, resume.
    harness        Run local tasks of lm-evaluation-harness, an extra.
    serving        Speak the OpenAI protocol: requests, limits, errors, streams, metrics.
    kernels        Compute the loss, LoRA and attention faster on a GPU, in pure torch.
    export         Convert models for other runtimes: GGUF for llama.cpp and Ollama.
    clients        Speak to services on the network: a teacher's endpoint, the model hub.
    interrupts     Interrupt blocking work when a pause or cancel is requested.
    pace           Tell how far the work on many rows is.
    worker         Wrap every program: read the spec, emit events, write the result.
    machine        Report the device and the peak memory of a process.

Imports go upwards in this order: machine, worker, pace, interrupts, clients, data, modeling and kernels,
engine and export, serving, harness, training and the programs, train and forgetting, sweep, range_test
and influence.
"""

import os

# Before torch loads its OpenMP library. Idle OpenMP threads sleep instead of spinning: where the web app and
# a browser share the cores, spinning threads keep the one they wait for from its core, and a training step
# took 2.6 to 4.3 times as long (docs/experiments.md, 2026-11-24).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("KMP_BLOCKTIME", "0")
# Nothing here is compiled by torch. bitsandbytes, which peft imports wherever it is installed, asks for it
# all the same, and loading the compiler takes a quarter of the time from process start to first step.
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
# Batches of changing length fragment the GPU's memory; segments that grow do not.
os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")
