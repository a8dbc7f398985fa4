"""The API: django-ninja over reports and operations. Access is the table's, as for pages; a token narrows it."""
