"""Rows that come after training: how a batch gets into the workspace, and what rows before it it looks back at."""
