"""Draw the Train page: choose, estimate, tune, start and watch.

choices         Choose stage, model, data, preset, held-out rows, method and adapter.
data            Choose training data and held-out rows; add plain texts.
field_texts     Name and explain the training settings.
learning_rate   Draw the range test and the hyperparameter sweep.
memory          Draw the memory estimate and the cheapest change.
new_run         Draw a new run, from its choices to its start.
rate_charts     Chart range tests and sweeps.
run_settings    Draw what a run was trained with; name, note and delete it.
runs            Draw the training runs with their curves.
settings_files  Import and export settings as files and commands.
spec_form       Draw widgets for the training settings.
"""
