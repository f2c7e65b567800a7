"""Run the training loop: transformers' Trainer with our loss, batches, held-out evaluation and checkpoints.

Knows a trainable model and encoded samples, not how they were made.

    arguments               Translate a spec into TrainingArguments.
    schedules               Fill in and check the options of a learning-rate schedule.
    losses                  Compute the loss over supervised tokens, of a batch or row by row.
    controlled_trainer      Extend any Trainer so that the loop control can steer it.
    trainer                 Train on supervised tokens.
    preference              Train on preference pairs with TRL: DPO, KTO, ORPO.
    heldout_loss            Compute the held-out loss with its cluster-robust standard error.
    category_accuracy       Score the categories of held-out rows during training.
    packing_check           Check that a model keeps packed samples apart; choose the collator.
    gradient_checkpointing  Decide whether to turn gradient checkpointing on.
    loop_control            Decide when to evaluate, save and stop; emit events.
    checkpoints             Write, prune and find checkpoints.
    resume                  Save and restore the state that resuming needs.
    sample_gradients        Compute the gradient of each sample with respect to the LoRA matrices.
    influence_functions     Compute what rows did to an answer, and which rows contradict the others.
    provenance              Hash the dataset and the base model; name the code version.
"""
