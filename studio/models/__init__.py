"""Find base models by name, download them, and resolve what a person calls a model.

catalog           Scan base models on this machine, and resolve a name to a folder.
default_model     Choose the model that answers unless another is asked for.
downloads         Download models as jobs: start, pause, resume, discard.
locations         List the folders that may hold a model: the workspace, two hubs' caches, the user's own.
path_hints        Parse typed or pasted model paths and hub ids, and suggest what was likely meant.
targets           Resolve RUN|MODEL: a trained run or a base model.
unsafe_allowlist  Allow or refuse pickle weights and custom code, one model at a time.
"""
