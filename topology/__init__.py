"""The production topology on this machine's loopback interface, from pip-installed servers: `make up`, `make down`."""
