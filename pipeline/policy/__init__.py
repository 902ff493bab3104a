"""When a model is trained anew, on what, and from where: the settings, and the decision on each batch (by monitor)."""
