"""Train a small classifier beside the annotators, and suggest categories.

_process    Train and predict in a process of its own while people label.
classifier  Predict categories of titles, and pick those that would teach most (active learning).
records     Keep suggestions and how often people agreed with them; start the process.
"""
