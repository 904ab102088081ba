"""One file a format: model files of every kind become modules. In the worker only."""
