#!/bin/sh
# Checks the signature of a receipt without any program of its issuer; jq and OpenSSL 3 are enough.
#   sh check_by_hand.sh receipt.json key.pem
set -eu
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# What was signed: the hash of the proof without its value, then the hash of the document without its proof.
# With sorted names and no spaces, a receipt as jq writes it is what RFC 8785 asks for.
jq -cjS '.proof | del(.proofValue)' "$1" | openssl dgst -sha256 -binary >"$work/signed"
jq -cjS 'del(.proof)' "$1" | openssl dgst -sha256 -binary >>"$work/signed"

# The signature: 64 bytes, as a number in base 58 behind a "z"; here in octal, as printf takes it.
octal=$(jq -r '
  def digit: ([.] as $letter | "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz" | explode | index($letter));
  .proof.proofValue[1:] | explode
  | reduce .[] as $letter ([];
      reduce .[] as $byte ({carry: ($letter | digit), bytes: []};
        ($byte * 58 + .carry) as $n | {carry: ($n / 256 | floor), bytes: (.bytes + [$n % 256])})
      | .bytes + (if .carry > 0 then [.carry] else [] end))
  | . + [range(64 - length) | 0] | reverse
  | map("\\" + ([. / 64, . / 8 % 8, . % 8] | map(floor | tostring) | join(""))) | join("")' "$1")
printf "$octal" >"$work/signature"

openssl pkeyutl -verify -pubin -inkey "$2" -rawin -in "$work/signed" -sigfile "$work/signature"
