"""Check the statistics of comparisons, and measure what they cost.

null_comparisons  Count false alarms of comparisons without a difference, and check printed power.
compare_speed     Time a comparison of two runs with 100,000 predictions each, and its memory.
"""
