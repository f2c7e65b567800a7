"""Convert trained models for other runtimes.

Knows no run folder and no studio: a model folder goes in, files come out.

    gguf           Convert a folder of safetensors to one GGUF file for llama.cpp and Ollama.
    gguf_vocab     Read a byte-level BPE tokenizer as GGUF's vocabulary, its pre-tokenizer by its regex.
"""
