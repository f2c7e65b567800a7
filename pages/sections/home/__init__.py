"""Draw Home: the loop with its next step, and the import of titles.

import_batches  List the imports with their reports, and undo one.
import_form     Import a file, pasted titles or the bundled samples.
loop            Draw the loop with its next step, what just came in, and the latest score.
sample_answers  Draw how the answers to the bundled titles compare with ours.
"""
