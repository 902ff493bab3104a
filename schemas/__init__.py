"""Contracts: one file a data set."""
