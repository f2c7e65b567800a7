"""Export runs to experiment trackers: TensorBoard event folders, MLflow file stores. No network.

mlflow       Write runs into an MLflow file store.
record       Gather what a tracker keeps of a run: metrics over time, settings, scores, tags.
tensorboard  Write runs as TensorBoard event folders.
trackers     Choose a tracker, and write the chosen runs for it.
"""
