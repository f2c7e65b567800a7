"""Probe forgetting: what fine-tuning cost in general knowledge, instructions, arithmetic and refusals.

checks      Check whether an answer follows an instruction: length, form, words, order, language.
counts      Count what was lost and gained, paired, and derive the verdict.
grading     Grade an answer to an item of the probe.
probe       Load the items of the bundled probe.
probe_jobs  Start the probe of a run's model as a job, and read what it found.
verdict     Read the verdict of a run folder, and state it in both languages.
"""
