"""Label and review: the queue, leases, answers, decisions, undo, history and bulk edits.

annotation_files   Write and read annotation files: CSV, JSONL, parquet, one answer a line.
annotation_import  Import annotation files: answers with their authors and times, joined by title.
annotations        Save what people answer to a title: label, skip, flag, undo.
autosave           Keep text that a person typed and has not saved, through a reload and a restart.
bulk_edits         Relabel, trash, restore or tag many titles at once, and undo it as one.
chain_index        Index the written think chains in memory: find the nearest and the clauses that repeat.
history            Read the history of one title, and restore any state of it.
leases             Lease a title to whoever has it on screen: offer the next, keep it from others.
queue_order        Order the label queue, and set how many people are asked for each title.
requeue            Put titles back into the label queue: sent back by somebody, or wrong in the classifier.
review             Review titles: adjudicate disputes and flags, spot-check what others decided.
rewording          Correct the text of a title: the corrected one takes its place.
sent_back          Read what was sent back to a person: by whom, with what comment, what they had answered.
"""
