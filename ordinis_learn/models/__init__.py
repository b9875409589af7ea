"""Signal models: the interface, the bundles on disk, and what loads them."""
