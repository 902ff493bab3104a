"""What would have been: past batches replayed under several retraining policies, in the right order of time."""
