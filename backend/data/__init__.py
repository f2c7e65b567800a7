"""Turn dataset folders into batches of tensors: read, render, tokenize, weigh, pack.

Knows specs, rows and tokenizers; no model.

    label_samples  Encode rows and answers so that the category is told from the chain.
    rows           Read the rows of a dataset folder as conversations or texts.
    labelled_rows  Select the rows whose answer is a category, for scoring.
    templates      Render conversations as text: one function for training, evaluation and serving.
    marks          Keep a tokenizer's marks apart from the same characters in what people wrote.
    shortening     Shorten think chains so that a row fits the token limit.
    encoding       Tokenize conversations into samples with labels and loss weights; pad them.
    pairs          Read preference pairs and tokenize them.
    datasets       Encode a run's training and held-out rows; split off held-out rows.
    batching       Sample batches in a resumable order, and pack them without padding.
"""
