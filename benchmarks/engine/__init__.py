"""Measure the engine on this machine, each number beside a baseline of the same run."""
