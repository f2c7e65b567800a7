"""Draw the Models page: base models, their downloads, where they are searched.

detail     Draw one model: problems, hashes, permission for unsafe parts.
downloads  Start downloads and draw those that are not finished.
settings   Set folders, mirror and offline mode.
shelf      Draw the table of models and the choice of one.
"""
