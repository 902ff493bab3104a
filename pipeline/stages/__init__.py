"""The data's way, top to bottom: ingest, validate, clean, split, normalize, train, evaluate, promote."""
