"""Remember releases: which checkpoint was released, by whom, by which gate, and which one is in force.

checkpoints  Hash a checkpoint, so that a release stands for certain weights.
ledger       Append entries to a hash-chained ledger, read them, and verify the chain.
models       Define what the ledger holds: gates and their results, openings, releases.
records      List releases, find one by name, and say which is in force.
"""
