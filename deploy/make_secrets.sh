#!/bin/sh
# The files that compose.yaml mounts as secrets, made once; those that are there stay. google.json is yours to put here.
set -eu
umask 077
folder=$(dirname "$0")/secrets
mkdir -p "$folder"
cd "$folder"
make() { test -e "$1" || { "$2" > ".$1" && mv ".$1" "$1"; }; }
random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
fernet() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n'; }
url() { printf 'postgresql://sendit:%s@postgres/%s' "$(cat postgres_password)" "$1"; }
gateway() { url sendit; }
identity() { url identity; }
broker() { printf 'redis://:%s@broker:6379/0' "$(cat broker_password)"; }
make postgres_password random
make broker_password random
make database_url gateway
make identity_database_url identity
make broker_url broker
make pseudonym.key random
make django.key random
make identifiers.key fernet
make digest.key fernet
make signing.key fernet
# Who reads them in the containers: the user of the Dockerfile.
test "$(id -u)" != 0 || chown -R 10001:10001 .
echo "Keep a copy of $(pwd) apart from this host: without pseudonym.key no collection can be continued."
