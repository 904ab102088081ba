"""What is in a model file, for `e360 inspect`: read without torch, and nothing in it is run."""
