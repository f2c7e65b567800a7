"""Draw the Quality page: coverage, and decided titles that deserve a second look.

coverage  Draw the balance of categories and the evaluation rows they need.
findings  Draw findings one at a time, with a key for each answer.
"""
