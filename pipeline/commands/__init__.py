"""What each subcommand of `keepfit` does, in a file or folder of the subcommand's name; pipeline/cli.py names them.

What several of them share lies beside: `options` of the command line, `reading` of any data as one typed table, and
tables for the screen (`summary`). `up_to_date` is the `keepfit run` that has nothing to do. `keys` writes
docs/settings.md. The subcommands that are one step of the data's way (`stage`, `monitor`, `report`) are run by
pipeline/cli.py itself.
"""
