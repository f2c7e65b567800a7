"""Train a small classifier beside the annotators, and suggest categories (pre-annotation, active learning).

_process    Train and predict in a background process while people label.
classifier  Predict categories of titles, and select the most informative ones (active learning).
records     Store suggestions and their acceptance rate; start the background process.
"""
