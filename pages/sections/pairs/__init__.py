"""Draw the Pairs page.

filters   Draw the filters, which the address keeps, and the runs that are held against each other.
summary   Draw the counts: by kind, by category, by what was confused, and what was left out.
samples   Draw how often sampled answers are right, and the rows that never are.
listing   Draw the pairs, and both answers of the chosen one.
versions  Draw the form that freezes, and the frozen versions with their files.
"""
