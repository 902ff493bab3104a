"""Drift: a batch's profile beside the reference, column by column, and what to do. No row is read here."""
