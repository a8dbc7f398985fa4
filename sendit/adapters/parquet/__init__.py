"""Rows in Parquet files, which DuckDB reads."""
