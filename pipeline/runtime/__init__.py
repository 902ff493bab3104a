"""The running process and its machine: its memory, the filters of its warnings, and which other processes are alive."""
