"""Model file -> `Subject`: what the file is (without torch, in the parent), then its loading (in the worker)."""
