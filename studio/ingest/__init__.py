"""Import rows as titles: stage, merge, deduplicate, and undo an import; keep plain texts.

_merging        Merge what all imported rows of a title say into one decision.
_staging        Stage rows in portions that nobody sees until all of them are there.
bundled         Import the bundled samples, and the titles to try labelling with.
check_session   Edit the rows of a checked file in place, and queue those that need a person.
import_batches  List imports and their row reports, and undo one.
importer        Import files and texts: every row is kept, duplicates are merged and counted.
label_mapping   Map foreign labels to categories, once for all rows.
plain_texts     Keep plain texts for continued pre-training in the one form that a worker reads.
preview         Preview the first rows of a file and what its columns are taken for.
"""
