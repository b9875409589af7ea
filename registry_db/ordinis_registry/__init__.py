"""The governance database: models, ledger, migrations."""
