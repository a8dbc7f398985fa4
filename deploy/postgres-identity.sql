-- The identity service has a database of its own, beside the gateway's.
CREATE DATABASE identity;
