"""What users ask of LEARN, one verb per file; engine, command line and MLflow project are doors to these."""
