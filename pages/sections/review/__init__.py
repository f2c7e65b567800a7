"""Draw the Review page: a case with its answers, and what decides it.

actions  Decide, send back, pass on and undo.
case     Draw the title under review, its answers and its forms.
"""
