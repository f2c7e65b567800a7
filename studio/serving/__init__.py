"""Start model servers, and call them over the OpenAI protocol.

client   Call any OpenAI-compatible server, and /v1/classify of our own.
servers  Start, find and stop model servers: one process for each model and adapter, started on first use.
"""
