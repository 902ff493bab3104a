"""What a label can be: one file a kind, each fitted on train alone and kept as JSON."""
