"""Diagnose the files of a model folder before anything loads them. Pure but for its settings.

adapter_check        Check by names and shapes alone that a LoRA adapter fits a base model.
folder_check         Diagnose a model folder: what is missing, damaged or unsafe.
hub_manifest         List the files of a model on a hub, and verify a copy against them.
safetensors_headers  Read and check the headers of safetensors files.
tokenizer_files      Diagnose the files of a tokenizer.
token_rows           Check that every token of a tokenizer has a row in the embedding.
settings             Read and write the model settings: search folders, hub mirror, unsafe models allowed.
"""
