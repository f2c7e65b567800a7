"""The Release page: what is in force, a candidate at its gate, the sealed set, sign-off, origin.

candidate  Choose a candidate, and compare it with the released model.
gates      Choose a gate, judge a candidate at it, and save a new one.
in_force   Draw the release in force, the way back, and all releases.
lineage    Draw where a model comes from, step by step.
progress   Draw the progress of a job that the page waits for.
sealed     Draw the sealed sets of a dataset: who opened them, and open one.
sign       Sign a candidate and release it.
"""
