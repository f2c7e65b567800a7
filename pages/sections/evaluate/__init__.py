"""Draw the Evaluate page: scores, the confusion matrix, another evaluation.

endpoint_choice  Draw the choice of a model at an endpoint, and what answered.
matrix           Draw the confusion matrix and the titles in its cells.
new_evaluation   Start another evaluation and draw its progress.
numbers          Choose a scored run and draw its numbers.
"""
