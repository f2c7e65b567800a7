"""Find base models by name, download them, and resolve what a person calls a model.

catalog           Scan base models on this machine, and resolve a name to a folder.
downloads         Download models as jobs: start, pause, resume, discard.
locations         List where models lie: the workspace, two hubs' caches, folders of the user's own.
path_hints        Guess what somebody meant who typed or pasted the location of a model.
targets           Resolve RUN|MODEL: a trained run or a base model.
unsafe_allowlist  Allow or refuse pickle weights and custom code, one model at a time.
"""
