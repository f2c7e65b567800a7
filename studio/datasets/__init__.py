"""Freeze decided titles into dataset versions: splits, checks, files, diff, card and export.

_draft_folders    Make the folder in which a version is written, locked while it is.
card              Write the dataset card in Markdown: rows, categories, lengths, near copies, hashes.
diff              Diff two dataset versions row by row, and in a sentence.
eval_coverage     Find the categories that the eval rows of a dataset lack.
eval_list         Read a fixed list of eval titles from any file that titles can be imported from.
evaluation_files  Turn a file or folder of labelled titles into a dataset folder to evaluate.
export            Export a dataset version for other trainers: ShareGPT, Alpaca, OpenAI messages.
files             Serialize the files of a dataset version: what LLaMA-Factory and the workers load.
freeze_checks     Check titles before a freeze: errors stop it, warnings have to be accepted.
freeze_process    Freeze in a subprocess: a request on stdin, an answer on stdout.
lookup            Resolve what a person calls a dataset: a version, a folder, or the bundled samples.
mixed_eval        Combine the train split of one dataset with the eval split of another.
outlook           Tell what a freeze would take before it writes.
pair_versions     List and find frozen versions of preference pairs.
sealed_sets       Store sealed evaluation sets, and give their rows out to whoever opens one.
sealing           Set titles aside for a sealed evaluation set, and keep them out of every version.
splits            Split titles into train and eval, stratified by category, near duplicates on one side.
subsets           Write part of a dataset's training rows beside its evaluation rows.
versions          Freeze, list and verify dataset versions; a frozen one never changes.
"""
