"""Read any file into raw rows: encodings, JSON, tables, conversation layouts. Pure; knows no store.

_dataset_info_lint  Lint a dataset_info.json: what LLaMA-Factory would make of its entries.
_file_types         Sniff what a file really is, and refuse archives that unpack to far more than they are.
_tables             Read tables row by row: delimited text, a workbook's sheet, parquet.
columns             Tell which column of a table holds title, category and think chain.
conversations       Turn one raw record into a question and an answer: ShareGPT, Alpaca, OpenAI, table row, title.
dataset_info        Read dataset_info.json and what its entries mean.
dates               Parse dates of publication in the many ways that tables write them.
encodings           Detect the encoding of a file and decode it.
json_stream         Stream JSON values one at a time: a list, or JSON Lines.
layouts             Define row layouts: which key holds what, by dataset_info.json or by default.
reader              Read a path into raw rows: one file, or a folder with dataset_info.json.
records             Read one file into its raw records: txt, csv, tsv, xlsx, json, jsonl, parquet.
sharegpt            Write conversations in the canonical ShareGPT layout.
"""
