"""Draw the Classify and chat page.

answers   Draw many answers as one table, read titles from a sheet, hand answers over as a file.
chat      Chat with a model, streamed.
classify  Choose a model and classify titles with it.
offered   List the runs that are offered as models: the release first, then candidates.
"""
