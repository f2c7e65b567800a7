"""Speak to services on the network, with retries and errors that say what to do.

Knows no run and no dataset.

    endpoint  Request completions from an OpenAI-compatible endpoint; retry, back off, classify errors.
    hub       List and fetch the files of a model on ModelScope's hub.
"""
