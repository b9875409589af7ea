"""Ordinis Learn: capture what trading engines did, learn from it, and let a model trade only through a gate."""
