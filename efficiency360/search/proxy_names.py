"""The zero-cost proxies by name; what they are is in `proxies`, which needs torch."""

NAMES = ("synflow", "jacob_cov", "grad_norm", "zen")
