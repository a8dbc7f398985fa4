"""What a WSGI server serves: `gunicorn sendit.identity_service.wsgi`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "sendit.identity_service.settings"
application = get_wsgi_application()

from django.db import connections  # noqa: E402 - after Django is set up

from sendit.pipeline import database, logs  # noqa: E402

logs.silence_libraries()
database.make_ready()
connections.close_all()  # a server that forks from here shares none
