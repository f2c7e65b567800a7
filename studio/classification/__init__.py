"""Classify a sheet of titles as a job: read it, answer each title once, hand it back with columns added.

_sinks        Write a table as csv, tsv, xlsx, json, jsonl or parquet.
_source       Read the sheet of a job once more, with its cells as they were.
jobs          Start the classification of a sheet, find those there are.
openai_batch  Read and write OpenAI batch files.
results       Join the rows of a sheet with the answers: filter, count.
sheets        Read the rows of a sheet, and which title each of them has.
writing       Write a classified sheet in the format that it came in.
"""
