"""Rows and texts that are nearly alike, found without comparing each with each."""
