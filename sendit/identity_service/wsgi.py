"""What a WSGI server serves: `gunicorn sendit.identity_service.wsgi`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "sendit.identity_service.settings"
application = get_wsgi_application()

from sendit.pipeline import database, logs  # noqa: E402 - after Django is set up

logs.silence_libraries()
database.make_ready()
database.disconnect()  # a server that forks from here shares no connection
