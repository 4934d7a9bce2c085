#!/bin/sh
# A client of the platform in sh, curl and openssl, written from the pages of the platform alone.
#
#   client.sh NAMESPACE ACTION < body > answer
#
# CONTACTSDK_URL, CONTACTSDK_KEY and CONTACTSDK_SECRET say where and as whom.
set -eu

body=$(mktemp)
trap 'rm -f "$body"' EXIT
cat >"$body"

target="/api/1.0/$1?action=$2"
type="application/json"
date=$(date -u '+%Y-%m-%d %H:%M:%S')
md5=$(openssl dgst -md5 -r <"$body" | cut -d ' ' -f 1)

to_sign=$(printf '%s' "POST$md5$type${target}1.0ivvydate=$date" | tr '[:upper:]' '[:lower:]')
signature=$(printf '%s' "$to_sign" | openssl dgst -sha1 -hmac "$CONTACTSDK_SECRET" -r | cut -d ' ' -f 1)

curl --silent --show-error --noproxy '*' --max-time 20 \
    --header "Content-Type: $type" \
    --header "Content-MD5: $md5" \
    --header "IVVY-Date: $date" \
    --header "X-Api-Version: 1.0" \
    --header "X-Api-Authorization: IWS $CONTACTSDK_KEY:$signature" \
    --data-binary "@$body" "$CONTACTSDK_URL$target"
