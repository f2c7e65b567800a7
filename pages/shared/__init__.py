"""What several pages use. A module here knows no page.

address              Keep the filters of a page in the address.
annotation_download  Offer the annotations as a download.
appearance           Give the page its language, theme and styles in the browser.
charts               Chart categories, accuracies, probabilities and the confusion matrix.
colors               Choose colours that can be read on the theme in use.
digit_buttons        Draw every category as a button under its digit.
elements             Draw the head of a page, a control that always answers, a table.
endpoint_choice      Draw the choice of a model at an OpenAI-compatible endpoint.
feedback             Report errors and notices; wrap callbacks and fragments.
files                Hand files over: uploads as paths, numbers as downloads.
garbage              Freeze what a page allocates once out of garbage collection.
guidelines           Draw the guidelines of the scheme and its pair rules.
key_list             List the keys of a page in a dialog.
keyboard             Add what Streamlit's keyboard shortcuts lack.
problem_list         List the problems of the decided titles, by kind.
reading              Draw how a file will be read, with the question where that is unclear.
run_charts           Chart the curves of training runs.
run_controls         Draw a run's buttons, the queue, and the choice of a device.
run_curves           Draw the curves of a run and of others on the same chart.
run_names            Name what a run was trained or evaluated on, and its model.
run_naming           Draw name, note and tags of a run, and the button that moves it to the trash.
run_outcome          Draw how a preference training compares with its start.
scan_status          Draw the state of the quality scan, and start one.
session              Know the workspace, the store, the scheme, the language and the person; link pages.
sidebar              Draw the language switch and the sign-in; release titles that were left.
text                 Name what is stored, format moments and sizes, escape Markdown.
title_clock          Measure how long a title was on screen before it was answered.
title_history        Draw the history of a title, and restore any state of it.
token_boxes          Draw tokens as coloured boxes.
token_preview        Draw rows token by token, and how many exceed the cutoff.
who                  Ask who is there before the first press.
"""
