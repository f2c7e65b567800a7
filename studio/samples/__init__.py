"""Define what a sample is: scheme, canonical form, title text, think chains. Pure.

canonical        Read and write the canonical sample: title as question, think chain and category as answer.
chain_clauses    Split think chains into clauses, to detect boilerplate that many chains share.
chain_lint       Lint a think chain by quick, explainable rules: does it argue for its category?
chain_phrases    Find the phrases of a think chain that are in the title, and the quotations that are not.
chain_scaffolds  Scaffold a think chain from the title's own words and the scheme.
label_matching   Match a faulty label to the categories it may mean, for a person to confirm.
occlusion        Find the words that carry a decision: delete each, and see how far the probability falls.
preferences      Judge whether preference pairs are enough to train on.
problems         Define a problem of a row: one shape for files, store, page and command.
scheme           Load a category scheme: names, keys, definitions, borderline examples, pair rules.
similarity       Find near duplicates: MinHash bands, a character bitmap, edit similarity.
title_keys       Make the keys of many titles at once, as `title_key` makes one.
title_text       Clean a title's text, and normalize it to the key that duplicates share.
words            Segment Chinese text into words, each with where it is.
"""
