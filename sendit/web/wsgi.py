"""The WSGI application: `gunicorn sendit.web.wsgi`, and what `sendit web` serves."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "sendit.web.settings"
application = get_wsgi_application()

from django.conf import settings  # noqa: E402 - after Django is set up

from sendit.ground import core_dumps, logs  # noqa: E402
from sendit.web import urls  # noqa: E402, F401 - loaded before the first request

core_dumps.forbid()
logs.speak(settings.SITE.log_format)
