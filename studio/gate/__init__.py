"""Judge a candidate by a rule that was saved before it was evaluated, and release it.

card               Write the card of a release in Markdown: what was signed, with the numbers of that day.
evidence           Find what a candidate is judged by: its evaluations, tests, probe, sealed answers.
gates              Save gates, append-only, and list them.
judging            Judge a candidate line by line, and write the judgement down.
lineage            Trace a model from its titles to its release, with the command that repeats each step.
measuring          Measure what a gate asks for: evaluations on its rows, as jobs.
releasing          Release a candidate, signed by name; what the gate said travels with it.
sealed_evaluation  Open a sealed evaluation set for a candidate, and write down who did and why.
sentences          Say a gate, its lines and its outcome in the reader's language.
"""
