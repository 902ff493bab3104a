"""`keepfit tune` and `keepfit find`: which settings of the training suit the data, tried on train and judged on val.

The test split is not opened here.
"""
