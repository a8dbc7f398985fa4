"""A folder on another host, by SFTP."""
