"""Export models for other runtimes, and prove each export in its own: `python -m backend.export RUN_FOLDER`.

__main__       The program: read the spec, write the target folder, prove it, report.
merging        Merge an adapter into its base, and save all that it needs to answer elsewhere.
gguf           Convert a folder of safetensors to one GGUF file for llama.cpp and Ollama.
gguf_vocab     Read a byte-level BPE tokenizer as GGUF's vocabulary, its pre-tokenizer by its regex.
ollama         Write an Ollama Modelfile: template, end of an answer, decoding settings.
proof          Compare the answers of an export in its own runtime with the checkpoint's.
"""
