"""The MLflow plugin: a registry store with a gate, the tracker, the model flavour."""
