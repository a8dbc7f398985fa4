"""Rows in BigQuery."""
