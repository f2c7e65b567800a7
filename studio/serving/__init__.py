"""Run model servers and talk to them.

Loads no model: a server is a process of its own, see backend.serve.

    servers  Start, find and stop model servers: one process for each model and adapter.
    client   Chat with any OpenAI-compatible server, and classify titles by our own's /v1/classify.
"""
