"""`keepfit drift`: two files, without a workspace; what is old and new, and whether it differs."""
