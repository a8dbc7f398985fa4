"""Who does the work: local worker processes under a supervisor, or Celery's workers behind a doorbell."""
