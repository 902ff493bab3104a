"""Export: a version of the model as files that answer raw columns without this package, each checked before it is kept.

model.onnx              the whole way from raw columns to the answer
model.int8.onnx         the same with weights of 8 bits
weights.safetensors     the weights, for:
graph.json              the same way as a list of PyTorch's own operations
answer.py               runs that list: it needs PyTorch and NumPy alone
preprocessor.json       what was learnt of each column, for what has to be made a tensor outside
manifest.json           what goes in and comes out, what was found in checking, and the SHA-256 of each file
"""
