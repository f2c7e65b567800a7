"""Export models for other runtimes, and prove each export in its own: `python -m backend.export RUN_FOLDER`.

__main__       The program: ask the checkpoint, write the target folder, prove it, report.
weights        Stream a model's tensors with its adapter merged, one at a time.
merging        Save what merged weights need to answer elsewhere; quantize them to 8 or 4 bit.
gguf           Convert a model to one GGUF file for llama.cpp and Ollama.
gguf_types     Choose and quantize the type of each tensor of a GGUF file.
gguf_vocab     Read a byte-level BPE tokenizer as GGUF's vocabulary, its pre-tokenizer by its regex.
ollama         Write an Ollama Modelfile: template, end of an answer, decoding settings.
answers        Ask a checkpoint or a folder of safetensors the proof's questions.
llama_cpp      Ask a GGUF file the proof's questions in a llama.cpp server inside the process.
proof          Compare the answers of an export in its own runtime with the checkpoint's.
package        Complete a package that a product team runs without the studio.
package_files  What a package runs: copied into it as it is.
"""
