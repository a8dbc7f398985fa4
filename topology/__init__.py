"""The production topology on this machine's loopback, from servers that pip installs: `make up`, `make down`."""
