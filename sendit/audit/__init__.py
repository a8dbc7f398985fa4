"""The audit trail: who saw what identifies, and who did what. It knows people, acts and keys, and no batch or image."""
