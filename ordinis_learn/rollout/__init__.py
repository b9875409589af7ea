"""States, policy, gate, evidence, shadow and rollback: pure decisions."""
