"""Differentially private training steps: sampling, clipping, noise and their accounting."""
