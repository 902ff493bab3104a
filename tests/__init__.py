"""The data of the tests are tiny: threads that wait for each other only make a busy machine slower."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by NumPy, SciPy and PyTorch when they are imported, later
