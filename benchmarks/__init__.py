"""What backs each figure of the README: `python -m benchmarks.run` makes RESULTS.md anew."""
