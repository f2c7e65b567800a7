"""Draw Home: the loop with its next step, and the import of titles.

import_batches  List the imports with their reports, and undo one.
import_form     Import a file, pasted titles or the bundled samples.
loop            Draw the loop with its next step, and the latest score.
"""
