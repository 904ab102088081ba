"""The worker process, the evidence store, and the audit that ties the stages together."""
