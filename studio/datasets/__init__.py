"""Freeze decided titles into dataset versions: splits, checks, files, diff, card and export.

card            Describe a dataset version in Markdown: rows, categories, lengths, near copies, hashes.
diff            Compare two dataset versions row by row, and in a sentence.
eval_list       Read a fixed list of evaluation titles from any file that titles can be imported from.
export          Export a dataset version for other trainers: ShareGPT, Alpaca, OpenAI messages.
files           Write the files of a dataset version as bytes: what LLaMA-Factory and the workers load.
freeze_checks   Check what is about to be frozen: errors stop a freeze, warnings have to be accepted.
freeze_process  Freeze in a process of its own: a request on stdin, an answer on stdout.
lookup          Resolve what a person calls a dataset: a version, a folder, or the bundled samples.
mixed_eval      Choose the rows that a training is measured on: its version's, held-out ones, or another version's.
splits          Split titles into train and eval, near duplicates on one side.
versions        Freeze, list and verify dataset versions; a frozen one never changes.
"""
