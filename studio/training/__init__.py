"""Prepare a training: presets, settings files, memory, learning rate, sweeps, curve health.

curve_health     Diagnose a training from its curve: diverging, flat, overfitting, NaN, with the remedy.
field_relevance  Decide which settings have an effect, given the others.
learning_rate    Advise a learning rate from a range test and a sweep.
memory           Estimate the memory of a training before it starts.
memory_fit       Check whether a training fits a device, and find the cheapest change that makes it fit.
presets          Build complete training specs to start from: presets by model size, method and stage.
run_table        Tabulate runs: scores and settings in a row each, filtered, sorted, and what differs.
scaling          Train on nested parts of a dataset, forecast what more rows bring, check it.
settings_file    Read and write settings files: ours, LLaMA-Factory's YAML, its board's.
shell_commands   Write a training as shell commands to copy.
spec_loading     Load a training spec from a file, options and `--set`.
sweeps           Start sweeps and range tests as jobs, and read their results.
token_preview    Preview a tokenized dataset: token counts of every row, single rows token by token.
"""
