"""What an auditor is handed: signed statements and their verification. Knows no Django, no batch and no store."""
