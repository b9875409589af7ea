"""In-memory fakes of the ports; they pass the same conformance tests as the adapters."""
