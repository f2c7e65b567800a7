"""Check the statistics of comparisons, and measure what they cost.

null_comparisons  Count false alarms of comparisons without a difference, and check printed power.
planted_errors    Flip training labels on purpose, and count how many each ranking finds.
compare_speed     Time a comparison of two runs with 100,000 predictions each, and its memory.
"""
