"""Start model servers, and call them over the OpenAI protocol.

answer_files  Serialize answers as a file: csv, xlsx or jsonl.
client        Call any OpenAI-compatible server, and /v1/classify of our own.
servers       Start, find and stop model servers: a process for each model and adapter, started on first use.
"""
