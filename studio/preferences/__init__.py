"""Turn decisions into preference pairs: a chosen and a rejected answer to one title.

Nobody labels pairs for this: whoever settles a dispute, edits a draft, corrects a decision or reports a
wrong answer has said which of two answers is better. Pairs are derived from that history each time and
stored only when a version of them is frozen.

pairs       Define a preference pair: its kind, its two answers, who preferred one, and why.
collecting  Collect pairs from disputes, corrections, drafts and reports of wrong answers.
run_pairs   Collect pairs from what two runs answered to one title.
sampling    Judge sampled answers by their labels: pass@k, never right, pairs.
title_ids   Look up titles by their keys.
selection   Select pairs: near duplicates once, titles that are evaluated never; filter and count.
freezing    Freeze pairs into a version beside the datasets; it never changes.
export      Export a version of pairs in TRL's and LLaMA-Factory's forms.
"""
