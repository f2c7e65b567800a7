"""Read any file into raw rows: encodings, JSON, tables, conversation layouts. Pure; knows no store.

_arrow              Stream the rows of parquet files and saved data sets.
_cells              Parse a title with its label: a table row, an object, a task of a labelling tool.
_class_files        Read the class names that lie beside a file of class numbers.
_dataset_info_lint  Lint a dataset_info.json: what LLaMA-Factory would make of its entries.
_file_types         Sniff the real type of a file, and refuse decompression bombs.
_json_rows          Find the rows in a JSON object that is all of a file.
_pairs              Parse a question and its answer, under keys of their own or in a conversation.
_recognition_words  Say what the records of a file were taken for.
_row_parser         Collect what is parsed of one record, its problems among it.
_tables             Map the rows of a table to records: heading, columns, rows that do not fit.
_text_cells         Split the lines of a text into cells.
_text_files         Open a text file again and again, decoded as its content shows.
_text_forms         Decide what a text file is: titles, a table and its separator, fastText.
_tool_exports       Parse the rows of labelling tools: Label Studio, Prodigy, Argilla.
_turns              Parse conversations: a list of turns, or Alpaca's columns.
_workbooks          Stream the rows of a workbook's sheet, within bounds.
choices             Define what a person says about a file: form, separator, heading, columns.
columns             Map the columns of a table to title, category, think chain, source and date.
conversations       Parse a raw record into question and answer by its layout.
dataset_info        Parse dataset_info.json into files and row layouts.
dates               Parse dates of publication in the many ways that tables write them.
encodings           Detect the encoding of a file and decode it.
faulty              Define a record that cannot be read as the rest of its file.
json_stream         Stream JSON values one at a time: a list, or JSON Lines.
layouts             Define row layouts: which key holds what, by dataset_info.json or by default.
reader              Read a path into raw rows: one file, or a folder with dataset_info.json.
recognition         Recognise what the records of a file are, and which key holds what.
records             Stream the raw records of one file: txt, csv, tsv, xlsx, json, jsonl, parquet.
saved_datasets      Find the files of a data set that `datasets` saved, or that a hub holds.
sharegpt            Write conversations in the canonical ShareGPT layout.
split_names         Infer the split of a file or entry from the words of its name.
values              Normalize the values of cells and keys to text.
"""
