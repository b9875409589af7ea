"""Datasets with provenance: builder, manifest, expectations."""
