"""The versions of the model as people ask about them: which there are, what one is, how two differ, one made anew."""
