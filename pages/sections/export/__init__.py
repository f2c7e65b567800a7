"""Draw the Export page: a new export, and those that there are.

new_export   Draw the choice of model, format and type with size and cost, and start the export.
texts        Say what each format is for and what each type of weights costs.
exports      Draw the exports: progress, the proof, files, download.
proof_view   Draw the proof of an export: the table and the first divergence.
"""
