#!/bin/sh
#
# Installs Octaskly on this device, from a dispatcher on the network or from a release: finds out what the device is,
# downloads, checks, tries the new program, and only then puts it into its place, in one step.
#
#   curl -fsSL http://DISPATCHER:3000/install.sh | sh -s -- --join TOKEN
#   sh install.sh --from DIR_OR_URL
#
# POSIX sh and the tools every system has: dash, bash, busybox, Termux, macOS. It changes nothing outside of its
# prefix, the service it is asked for, and (with --purge) the data directory. Whatever ends it, nothing half stays behind.
#
# What it goes by: a join token holds the SHA-256 of the dispatcher's list of sums; a release is signed with Ed25519.
# docs/INSTALL.md and docs/SECURITY.md say what that keeps out and what it does not.

# One compound command: a script that was cut off on its way is not complete, and the shell runs none of it.
{

# Whatever the shell was started with, and where it is zsh: what fails is looked at where it happens.
[ -z "${ZSH_VERSION:-}" ] || emulate sh
set +ef
set -u
umask 022

# Written by whoever hands this script out; empty in the repository.
baked_base=''
baked_pin=''
baked_key=''
baked_version=''

name=octaskly-install
from=${OCTASKLY_INSTALL_FROM:-$baked_base}
pin=$baked_pin
version=$baked_version
prefix='' token='' service=ask mode=install
dry='' quiet='' purge='' completion=yes insecure='' sums='' downgrade=''
work='' child='' bin='' program='' target='' made='' direct='' unreachable=''

# What a program and its archive are never longer than, and a list or manifest, in blocks of 512 bytes.
most_program=819200
most_text=2048
# What has to be free while the program is put there, kB: its own size, and with what it is packed in.
room_bare=133120
room_packed=194560

usage() {
  cat <<'END'
Usage: install.sh [OPTION]...

Installs octaskly on this device.

  --join TOKEN     let it join as a worker with a token of "octaskly invite"
  --service        keep that worker running as a service
  --no-service     do not ask whether to
  --from WHERE     http://HOST:3000 of a dispatcher, the address of a release,
                   or its directory (default: where this script was had)
  --version V      take this version only
  --prefix DIR     install to DIR/bin (default: /usr/local for root, ~/.local
                   for others, Termux's own)
  --sums SHA256    SHA-256 that SHA256SUMS of the dispatcher, or manifest.json
                   of the release, must have
  --insecure-no-signature
                   take a release although its signature cannot be checked
  --allow-downgrade
                   replace a program of a later version, too
  --no-completion  do not set up completion for bash, zsh and fish
  --uninstall      remove the program, its completion and its service
  --purge          with --uninstall: also remove the data: ~/.octaskly and, as
                   root, /var/lib/octaskly* of services with their accounts
  --dry-run        say each step and do none
  --quiet          say only what goes wrong
  --help           this text
END
}

say() { [ -n "$quiet" ] || printf '%s\n' "$*" >&2; }
warn() { printf '%s: %s\n' "$name" "$*" >&2; }
die() { warn "$*"; exit 1; }
misused() { warn "$*"; warn 'See --help.'; exit 2; }
has() { command -v "$1" >/dev/null 2>&1; }

# ---------------------------------------------------------------------------------------------------------------- ends

clean() {
  [ -z "$child" ] || kill "$child" 2>/dev/null
  child=''
  [ -z "$work" ] || rm -rf "$work"
  work=''
  [ -z "$made" ] || rmdir "$made" 2>/dev/null || :
}

# shellcheck disable=SC2317 # Called by traps.
interrupted() {
  trap - EXIT
  # Whoever read what this says may be gone.
  trap '' PIPE
  clean
  warn 'Stopped: nothing was changed.'
  exit "$1"
}

# Runs a program so that a signal to this script ends both at once. What it says of errors goes to $work/said.
attempt() {
  "$@" 2>"$work/said" &
  child=$!
  wait "$child"
  result=$?
  child=''
  return "$result"
}

# limited BLOCKS COMMAND...: for attempt. No file grows beyond so many blocks of 512 bytes (bash: of 1024), whatever is sent.
# shellcheck disable=SC2317,SC2329 # Called by attempt.
limited() {
  ulimit -f "$1" 2>/dev/null
  trap '' XFSZ
  shift
  [ -z "$direct" ] || unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY
  exec "$@"
}

# is_endless FILE: it was cut off by that.
is_endless() { [ -f "$1" ] && [ "$(wc -c <"$1")" -ge $((most_program * 512)) ]; }

# Each line once: curl says the same at every attempt.
said() {
  words=$(awk '!seen[$0]++' "$work/said" | tr '\n' ' ' | cut -c 1-300 | sed 's/ *$//')
  printf '%s' "${words:-no reason was given}"
}

# quoted TEXT: as a shell reads it; a word without anything odd in it stays as it is.
quoted() {
  case $1 in
    *[!A-Za-z0-9/._+:@-]* | '') printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf '%s' "$1" ;;
  esac
}

is_root() { [ "$(id -u)" = 0 ]; }

elsewhere() {
  printf 'choose another place with --prefix DIR'
  is_root || printf ', or run this as root'
}

# ------------------------------------------------------------------------------------------------------------- options

options() {
  while [ $# -gt 0 ]; do
    option=$1 has_value=''
    shift
    case $option in
      --join | --from | --version | --prefix | --sums)
        [ $# -gt 0 ] || misused "$option needs a value."
        value=$1
        shift
        ;;
      --*=*)
        value=${option#*=}
        option=${option%%=*}
        has_value=yes
        ;;
      *) value='' ;;
    esac
    case $option in
      --join) token=$(printf '%s' "$value" | tr -d ' \t\r\n') ;;
      --from) from=$value pin='' ;;
      --version) version=${value#v} ;;
      --prefix) prefix=$value ;;
      --sums) sums=$(printf '%s' "$value" | tr 'A-F' 'a-f') ;;
      --service) service=yes ;;
      --no-service) service=no ;;
      --insecure-no-signature) insecure=yes ;;
      --allow-downgrade) downgrade=yes ;;
      --no-completion) completion='' ;;
      --uninstall) mode=uninstall ;;
      --purge) purge=yes ;;
      --dry-run) dry=yes ;;
      --quiet | -q) quiet=yes ;;
      --help | -h)
        usage
        exit 0
        ;;
      *) misused "There is no option \"$option\"." ;;
    esac
    case $option in
      --join | --from | --version | --prefix | --sums) [ -n "$value" ] || misused "$option needs a value." ;;
      *) [ -z "$has_value" ] || misused "$option takes no value." ;;
    esac
  done
  [ -z "$purge" ] || [ "$mode" = uninstall ] || misused '--purge goes with --uninstall.'
  [ "$mode" = install ] || [ -z "$token" ] || misused '--join and --uninstall contradict each other.'
  case $sums in
    '') ;;
    *[!0-9a-f]*) misused '--sums is 64 digits 0-9a-f.' ;;
  esac
  [ -z "$sums" ] || [ ${#sums} -eq 64 ] || misused '--sums is 64 digits 0-9a-f.'
}

# ------------------------------------------------------------------------------------------------------------ platform

is_termux() { [ -n "${PREFIX:-}" ] && [ "$(uname -o 2>/dev/null)" = Android ]; }

# The C library of this Linux. A system may have musl beside its own, so what its loader says comes first.
libc_of_linux() {
  case $(ldd --version 2>&1) in
    *musl*) echo musl && return ;;
    *GLIBC* | *GNU* | *glibc*) echo glibc && return ;;
  esac
  # Where there is no ldd, the loader that programs of the system itself name.
  for file in /bin/sh /bin/ls /usr/bin/env; do
    if grep -q 'ld-musl-' "$file" 2>/dev/null; then echo musl && return; fi
    if grep -q 'ld-linux' "$file" 2>/dev/null; then echo glibc && return; fi
  done
  for loader in /lib/ld-musl-*.so.1; do
    [ ! -e "$loader" ] || { echo musl && return; }
  done
  echo glibc
}

find_target() {
  system=$(uname -s)
  machine=$(uname -m)
  case $machine in
    x86_64 | amd64) arch=x64 ;;
    aarch64 | arm64) arch=arm64 ;;
    armv7* | armv8l) arch=armv7 ;;
    armv6* | armv5*) die "This processor is $machine (Raspberry Pi 1 or Zero): octaskly needs ARMv7 or later, or 64 bits." ;;
    *) die "There is no octaskly for the processor \"$machine\": there is for x86_64, aarch64 and armv7l." ;;
  esac
  case $system in
    Linux) ;;
    Darwin)
      # A shell that Rosetta translates takes its machine for another.
      [ "$(sysctl -n sysctl.proc_translated 2>/dev/null)" != 1 ] || arch=arm64
      [ "$arch" != armv7 ] || die "There is no octaskly for macOS on \"$machine\"."
      target=darwin-$arch
      return
      ;;
    MINGW* | MSYS* | CYGWIN* | Windows*) die 'This is Windows: run install.ps1 in PowerShell instead.' ;;
    *) die "There is no octaskly for the system \"$system\": there is for Linux, Android, macOS and Windows." ;;
  esac
  if [ "$(uname -o 2>/dev/null)" = Android ]; then
    [ "$arch" = arm64 ] || die "There is no octaskly for Android on \"$machine\": there is for 64-bit ARM."
    target=linux-arm64-android
    return
  fi
  # A 64-bit kernel below programs of 32 bits, as Raspberry Pi OS has it.
  [ "$arch" != arm64 ] || [ "$(getconf LONG_BIT 2>/dev/null)" != 32 ] || arch=armv7
  target=linux-$arch
  [ "$(libc_of_linux)" = musl ] || return 0
  [ "$arch" != armv7 ] || die 'There is no octaskly for 32-bit ARM with musl: there is with glibc.'
  target=$target-musl
}

# A program for musl needs the library of C++, which small systems leave out.
check_libraries() {
  case $target in
    *-musl) ;;
    *) return 0 ;;
  esac
  for library in /usr/lib/libstdc++.so.6 /lib/libstdc++.so.6 /usr/local/lib/libstdc++.so.6; do
    [ ! -e "$library" ] || return 0
  done
  die 'The library libstdc++ is missing. Install it (Alpine: apk add libstdc++), then run this again.'
}

find_place() {
  if [ -z "$prefix" ]; then
    if is_termux; then
      prefix=$PREFIX
    elif is_root; then
      prefix=/usr/local
    else
      [ -n "${HOME:-}" ] || die 'HOME is not set: say where to install with --prefix DIR.'
      prefix=$HOME/.local
    fi
  fi
  case $prefix in
    /*) ;;
    *) prefix=$(pwd)/$prefix ;;
  esac
  prefix=${prefix%/}
  bin=$prefix/bin
  program=$bin/octaskly
}

# ----------------------------------------------------------------------------------------------------------- fetching

# fetch WHAT FILE [again]: of $from, which is an address or a directory. "again": it is a program or its archive, which is
# long, and others may be downloading, so be patient.
# Sets $unreachable when nobody answered, as far as that can be told.
fetch() {
  unreachable=''
  most=$most_text
  [ "${3:-}" != again ] || most=$most_program
  case $from in
    http://* | https://*) ;;
    *)
      attempt limited "$most" cp "$from/$1" "$2"
      return
      ;;
  esac
  if has curl; then
    patience=30 longest=60
    [ "${3:-}" != again ] || patience=1200 longest=10800
    # A minute without a byte counts as a failure: curl itself would wait for ever. It ends by itself should nobody wait for it.
    set -- "$1" "$2" --connect-timeout 10 --max-time "$longest" --speed-limit 1 --speed-time 60 \
      --retry 20 --retry-delay 3 --retry-max-time "$patience"
    [ -z "$pin" ] || set -- "$@" -k --pinnedpubkey "$pin"
    curl_fetch "$@"
    result=$?
    # 22: there was an answer, and it was no.
    [ "$result" = 0 ] || [ "$result" = 22 ] || unreachable=yes
    return "$result"
  elif [ -n "$pin" ]; then
    die 'The dispatcher has a certificate of its own, by which only curl can know it: install curl.'
  elif has wget; then
    tries=0
    # Busybox built with glibc dies of -T (1.35), and GNU wget waits for 15 minutes without. With -q that says no reason.
    quietly=-q
    case $(wget --version 2>&1) in
      *'GNU Wget'*) quietly='-nv --no-config -T60' ;;
    esac
    # shellcheck disable=SC2086 # These are several words.
    until attempt limited "$most" wget $quietly -O "$2" "$from/$1"; do
      tries=$((tries + 1))
      # What a server answered is not to be had of every wget; asking again for what is not there costs a moment.
      [ "$tries" -lt 4 ] && [ "${3:-}" = again ] || return 1
      attempt sleep 3
    done
  else
    die 'Neither curl nor wget is here: install one of them.'
  fi
}

# curl_fetch WHAT FILE OPTION...: -q, or what stands in ~/.curlrc would be done too.
curl_fetch() {
  what=$1 file=$2
  shift 2
  attempt limited "$most" curl -q -fsSL "$@" -o "$file" "$from/$what"
}

# has_room KILOBYTES: that much is free where the program goes, as far as that can be told.
has_room() {
  free=$(df -Pk "$bin" 2>/dev/null | awk 'NR == 2 { print $4 }')
  case $free in
    '' | *[!0-9]*) return 0 ;;
  esac
  [ "$free" -ge "$1" ]
}

# need_room KILOBYTES
need_room() {
  has_room "$1" || die "There is too little space left in $bin: $((free / 1024)) MB are free, and octaskly needs $(($1 / 1024)) MB while it is installed, $((room_bare / 1024)) MB after. Nothing was changed."
}

# Names the variable alone: its value may hold a password.
by_proxy() {
  [ -z "$direct" ] || return 0
  case $from in
    https://*) names='https_proxy HTTPS_PROXY' ;;
    http://*) names=http_proxy ;;
    *) return 0 ;;
  esac
  for variable in $names all_proxy ALL_PROXY; do
    eval "value=\${$variable:-}"
    [ -z "$value" ] || {
      printf ' It was asked for by the proxy in the variable %s.' "$variable"
      return
    }
  done
}

# cannot_fetch WHAT [FILE]
cannot_fetch() {
  if is_endless "${2:-}"; then
    die "REFUSED: what $from sends as $1 is longer than any program of octaskly. Nothing was changed."
  fi
  if ! has_room 8192; then
    # What was there before what came.
    rm -f "${2:-}"
    has_room 0
    die "There is no space left in $bin: what came took all $((free / 1024)) MB that were free, and octaskly needs $((room_packed / 1024)) MB while it is installed. Nothing was changed."
  fi
  die "Cannot fetch $from/$1: $(said).$(by_proxy) Nothing was changed."
}

# sha BITS: of what comes in, in hexadecimal.
sha() {
  if has "sha$1sum"; then
    "sha$1sum"
  elif has shasum; then
    shasum -a "$1"
  else
    openssl dgst "-sha$1" -r
  fi | cut -d ' ' -f 1
}

sha256() { sha 256; }

check_tools() {
  has sha256sum || has shasum || has openssl ||
    die 'None of sha256sum, shasum and openssl is here, so nothing can be checked: install one of them.'
}

# bytes_of TEXT: what base64 or base64url without padding stands for, one byte a line, in decimal.
bytes_of() {
  printf '%s\n' "$1" | tr -- '-_' '+/' | awk '{
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    bits = held = 0
    for (i = 1; i <= length($0); i++) {
      held = held * 64 + index(letters, substr($0, i, 1)) - 1
      bits += 6
      if (bits < 8) continue
      bits -= 8
      # Not 2 ^ bits: the awk of busybox may be built without.
      unit = bits == 4 ? 16 : bits == 2 ? 4 : 1
      print int(held / unit)
      held %= unit
    }
  }'
}

# Of "octa2" and base64url: three lines, the sums it holds and its checksum in hexadecimal, and what that is of, escaped.
read_token() {
  bytes_of "${token#octa2}" | awk '{ bytes[NR] = $1 } END {
    for (i = 1; i <= 32; i++) sums = sums sprintf("%02x", bytes[i])
    for (i = NR - 3; i <= NR; i++) check = check sprintf("%02x", bytes[i])
    for (i = 1; i <= NR - 4; i++) body = body sprintf("\\%03o", bytes[i])
    print sums
    print check
    print body
  }'
}

check_token() {
  damaged='This join token is damaged: something in it is mistyped or missing. Copy the whole line again.'
  case $token in
    '') return 0 ;;
    *[!A-Za-z0-9_-]*) die "$damaged" ;;
    octa1*) return 0 ;;
    octa2*) ;;
    octa[0-9]*) die 'This join token was made by a newer octaskly than this script: use the script of that dispatcher.' ;;
    *) die 'This is not a join token: these begin with "octa2", as "octaskly invite" prints them.' ;;
  esac
  if [ ${#token} -le 100 ] || [ ${#token} -ge 4096 ]; then die "$damaged"; fi
  facts=$(read_token) || die "$damaged"
  token_sums=$(printf '%s\n' "$facts" | sed -n 1p)
  body=$(printf '%s\n' "$facts" | sed -n 3p)
  # shellcheck disable=SC2059 # These are the escapes of printf.
  check=$(printf "octa2$body" | sha256 | cut -c 1-8)
  [ "$check" = "$(printf '%s\n' "$facts" | sed -n 2p)" ] || die "$damaged"
}

# --------------------------------------------------------------------------------------------------- from a dispatcher

# is_list FILE: lines of a SHA-256 and a target, and nothing else: not the page of a network that one has to log into.
is_list() {
  awk '!/^[0-9a-f]+  [a-z0-9-]+$/ || length($1) != 64 { odd = 1 } END { exit odd || NR == 0 }' "$1"
}

from_dispatcher() {
  digest=$(sha256 <"$work/SHA256SUMS")
  expected=${sums:-${token_sums:-}}
  if [ -n "$expected" ]; then
    [ "$digest" = "$expected" ] || die "REFUSED: what $from offers is not what the join token was made for. Either somebody between here and there has changed it, or the dispatcher was updated since: ask for a new line (octaskly invite). Nothing was changed."
  else
    # Else whoever can write to where a release lies, or stands before it, would get round its signature as a dispatcher.
    [ -z "$baked_key" ] || [ -n "$insecure" ] || die "REFUSED: $from answers as a dispatcher, not as a signed release, and nothing says what its program should be. Use the whole line of \"octaskly invite\" (--join TOKEN), or give --sums with the SHA-256 of $from/download/SHA256SUMS if you know it from elsewhere, or --insecure-no-signature to go by $from alone. Nothing was changed."
    case $from in
      https://*) ;;
      *) say 'Without a join token nothing but this network says that the program is the right one.' ;;
    esac
  fi
  sum=$(awk -v target="$target" '$2 == target { print $1; exit }' "$work/SHA256SUMS")
  there=$(awk '{ printf "%s%s", sep, $2; sep = ", " }' "$work/SHA256SUMS" | tr -cd 'a-z0-9, -' | cut -c 1-300)
  [ -n "$sum" ] || die "The dispatcher at $from has no program for $target, only for $there. It has others when it is started with --dist, the directory of a release."
  need_room "$room_bare"
  say "Downloading octaskly for $target from $from"
  if has gzip && has_room "$room_packed" && fetch "download/$target.gz" "$work/octaskly.gz" again &&
    attempt limited "$most_program" gzip -d "$work/octaskly.gz"; then
    :
  else
    ! is_endless "$work/octaskly.gz" || cannot_fetch "download/$target.gz" "$work/octaskly.gz"
    rm -f "$work/octaskly.gz" "$work/octaskly"
    fetch "download/$target" "$work/octaskly" again || cannot_fetch "download/$target" "$work/octaskly"
  fi
  check_sum "$work/octaskly" "$sum" "the program from $from"
}

check_sum() {
  [ "$(sha256 <"$1")" = "$2" ] || die "REFUSED: $3 is not what its SHA-256 says. It was cut short or changed on its way. Nothing was changed."
}

# ------------------------------------------------------------------------------------------------------ from a release

# fact FILE KEY: of the entry of manifest.json for that file.
fact() {
  tr -d ' \t\r\n' <"$work/manifest.json" | tr '}' '\n' | grep -F "\"file\":\"$1\"" |
    sed -n "s/.*\"$2\":\"\\([^\"]*\\)\".*/\\1/p" | head -n 1
}

# The signature of the manifest by the key of this script. Each of the two says: 0 it is, 1 it is not, 2 that cannot be told.

openssl_verifies() {
  has openssl || return 2
  printf -- '-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n' "$baked_key" >"$work/key.pem"
  printf '%s==\n' "$signature" | openssl base64 -d -A >"$work/signature" 2>/dev/null
  attempt openssl pkeyutl -verify -pubin -inkey "$work/key.pem" -rawin -in "$work/manifest.json" \
    -sigfile "$work/signature" >"$work/verdict" && return 0
  grep -q 'Verification Failure' "$work/verdict" "$work/said" 2>/dev/null && return 1
  # The openssl of macOS, and those before 3.0, do not know such keys.
  return 2
}

bc_verifies() {
  has bc || return 2
  # Before the 32 bytes of an Ed25519 key comes what says that it is one (RFC 8410).
  point=${baked_key#MCowBQYDK2VwAyEA}
  [ ${#point} -eq 44 ] || return 2
  bytes_of "$signature" >"$work/bytes"
  bytes_of "${point%=}" >>"$work/bytes"
  # shellcheck disable=SC2059 # These are the escapes of printf.
  hashed=$({
    printf "$(awk 'NR <= 32 || NR > 64 { printf "\\%03o", $1 }' "$work/bytes")"
    cat "$work/manifest.json"
  } | sha 512 | tr a-f A-F)
  [ ${#hashed} -eq 128 ] || return 2
  verdict=$({
    awk 'BEGIN { print "ibase=16" }
      NR % 32 == 1 { printf "%s=", substr("rsk", (NR + 31) / 32, 1) }
      { printf "%02X%s", $1, (NR % 32 ? "" : "\n") }' "$work/bytes"
    printf 'h=%s\nibase=A\n' "$hashed"
    ed25519
  } | BC_ENV_ARGS='' bc 2>/dev/null)
  case $verdict in
    1) return 0 ;;
    0) return 1 ;;
    *) return 2 ;;
  esac
}

# Verification by Ed25519 (RFC 8032, 5.1.7) in the language of bc as POSIX has it: prints 1 where [s]B = r + [h]k, else 0.
# Before it stand r, s, k and h as their bytes are; it knows nothing secret, so how long it takes may depend on them.
ed25519() {
  cat <<'END'
/* p, d, L and the base point (5.1); i is 2^((p-1)/4) (5.1.3) */
p = 2^255 - 19
d = 37095705934669439343138083508754565189542113879843219016388785533085940283555
l = 2^252 + 27742317777372353535851937790883648493
x[1] = 15112221349535400772501151409588531511454012693041857206046113283949847762202
y[1] = 46316835694926478169428394003475163141307993866256225615783033603165251855960
i = 19681161376707505956807079304988542015446066515923890162744021073123829784752
/* a, the first of its n bytes the lowest */
define v(a, n) {
  auto c
  while (n > 0) {
    c = c * 256 + a % 256
    a = a / 256
    n = n - 1
  }
  return (c)
}
/* b^n mod p */
define e(b, n) {
  auto c
  c = 1
  while (n > 0) {
    if (n % 2 == 1) c = c * b % p
    b = b * b % p
    n = n / 2
  }
  return (c)
}
/* The x, with o as its lowest bit, of the point with that y; -1 where there is none (5.1.3) */
define x(y, o) {
  auto u, v, x
  if (y >= p) return (-1)
  u = (y * y + p - 1) % p
  v = (d * y * y + 1) % p
  x = u * v^3 % p * e(u * v^7 % p, (p - 5) / 8) % p
  if ((v * x * x - u) % p != 0) x = x * i % p
  if ((v * x * x - u) % p != 0) return (-1)
  if (x % 2 != o) x = p - x
  if (x == p) return (-1)
  return (x)
}
/* Point c = point a + point b, any two (5.1.4) */
define a(a, b, c) {
  auto e, f, g, h
  e = (y[a] - x[a]) * (y[b] - x[b]) % p
  f = (y[a] + x[a]) * (y[b] + x[b]) % p
  g = 2 * t[a] * t[b] % p * d % p
  h = 2 * z[a] * z[b] % p
  x[c] = (f - e) * (h - g) % p
  y[c] = (h + g) * (f + e) % p
  t[c] = (f - e) * (f + e) % p
  z[c] = (h - g) * (h + g) % p
  return (0)
}
r = v(r, 32)
s = v(s, 32)
k = v(k, 32)
h = v(h, 64) % l
/* Points: 1 is B, 2 is -k, 3 is B - k, 4 is the sum */
y[2] = k % 2^255
x[2] = -x(y[2], k / 2^255)
o = 0
if (s < l) if (x[2] <= 0) o = 1
y[4] = 1
z[4] = 1
for (n = 1; n < 3; n = n + 1) {
  z[n] = 1
  t[n] = x[n] * y[n] % p
}
q = a(1, 2, 3)
for (n = 0; n < 253; n = n + 1) {
  b[n] = s % 2 + 2 * (h % 2)
  s = s / 2
  h = h / 2
}
for (n = 252; n >= 0; n = n - 1) {
  q = a(4, 4, 4)
  if (b[n] > 0) q = a(4, b[n], 4)
}
z = e(z[4], p - 2)
x = (x[4] * z % p + p) % p
y = (y[4] * z % p + p) % p
if (y + x % 2 * 2^255 != r) o = 0
o
END
}

# Whether the manifest is the one of whoever holds the key; says why not in $unsigned.
is_signed() {
  unsigned=''
  if [ -z "$baked_key" ]; then
    unsigned='this script was had without a key'
    return 1
  fi
  if ! fetch manifest.json.sig "$work/manifest.json.sig"; then
    unsigned='there is no signature'
    return 1
  fi
  # 64 bytes in base64.
  whole=$(tr -d '\r\n' <"$work/manifest.json.sig" | cut -c 1-100)
  signature=${whole%==}
  verdict=1
  case $signature in
    *[!A-Za-z0-9+/]*) ;;
    *)
      if [ "${#whole} ${#signature}" = '88 86' ]; then
        openssl_verifies
        verdict=$?
        [ "$verdict" != 2 ] || {
          bc_verifies
          verdict=$?
        }
      fi
      ;;
  esac
  case $verdict in
    0) return 0 ;;
    1) die "REFUSED: the release at $from is not signed by the key of this script. Nothing was changed." ;;
  esac
  unsigned='that takes openssl 3.0 or later, or bc, and neither does it here: install one of them'
  return 1
}

# The version it is of; nothing where manifest.json is none.
version_of_manifest() {
  tr -d ' \t\r\n' <"$work/manifest.json" | sed -n 's/.*"version":"\([0-9A-Za-z.-]*\)".*/\1/p' | head -n 1
}

from_release() {
  digest=$(sha256 <"$work/manifest.json")
  if [ -n "$sums" ]; then
    [ "$digest" = "$sums" ] || die "REFUSED: manifest.json of $from is not the one that --sums names. Nothing was changed."
  elif ! is_signed; then
    case $from in
      http://* | https://*)
        [ -n "$insecure" ] || die "REFUSED: the signature of this release cannot be checked: $unsigned. Give --sums with the SHA-256 of its manifest.json if you know it from elsewhere, or --insecure-no-signature to go by $from alone."
        ;;
    esac
    say "The signature of the release is not checked: $unsigned."
  fi
  [ -z "$version" ] || [ "$version" = "$found" ] || die "The release at $from is $found, and $version was asked for."
  archive=octaskly-$found-$target.tar.gz
  sum=$(fact "$archive" sha256)
  [ -n "$sum" ] || die "The release $found at $from has nothing for $target."
  if fetch SHA256SUMS "$work/SHA256SUMS"; then
    listed=$(awk -v file="$archive" '$2 == file || $2 == "*" file { print $1; exit }' "$work/SHA256SUMS")
    [ -z "$listed" ] || [ "$listed" = "$sum" ] || die "REFUSED: SHA256SUMS and manifest.json of $from do not agree on $archive. Nothing was changed."
  fi
  need_room "$room_packed"
  say "Fetching octaskly $found for $target from $from"
  fetch "$archive" "$work/archive.tar.gz" again || cannot_fetch "$archive" "$work/archive.tar.gz"
  check_sum "$work/archive.tar.gz" "$sum" "$archive"
  attempt limited "$most_program" tar -xzf "$work/archive.tar.gz" -C "$work" "octaskly-$found-$target/octaskly" || cannot_fetch "$archive"
  mv "$work/octaskly-$found-$target/octaskly" "$work/octaskly"
  rm -f "$work/archive.tar.gz"
}

# ---------------------------------------------------------------------------------------------------------- installing

find_source() {
  if [ -z "$from" ] && [ -f "$0" ] && [ -f "$(dirname "$0")/manifest.json" ]; then from=$(dirname "$0"); fi
  [ -n "$from" ] || misused 'Say where to install from: --from http://HOST:3000 of a dispatcher, or a release.'
  case $from in
    http://* | https://*) ;;
    *)
      if [ ! -d "$from" ]; then
        case $from in
          /* | .* | *[!A-Za-z0-9.:_-]*) misused "--from \"$from\" is neither an address nor a directory." ;;
          *) from=http://$from ;;
        esac
      fi
      ;;
  esac
  from=${from%/}
  direct=$(is_near && echo yes)
}

# Whether $from is on this network, which no proxy leads to: a dispatcher that this script is of, or an address of its kind.
is_near() {
  [ -n "$baked_key" ] || [ "$from" != "${baked_base%/}" ] || return 0
  host=${from#*://}
  case ${host%%/*} in
    \[* | localhost* | 127.* | 10.* | 192.168.* | 169.254.* | 172.1[6-9].* | 172.2[0-9].* | 172.3[01].*) ;;
    *.local | *.local:*) ;;
    *.*) return 1 ;;
  esac
}

# Of this machine: others may share the disk, and have other processes of these numbers.
work_name() { printf '%s' "$bin/.octaskly-install.$(uname -n | tr -cd 'A-Za-z0-9-')."; }

remove_leftovers() {
  for left in "$(work_name)"*; do
    [ ! -d "$left" ] || kill -0 "${left##*.}" 2>/dev/null || rm -rf "$left"
  done
}

# Makes the directory in which everything happens, on the disk where the program will be; removes those of runs that died.
begin() {
  [ -d "$bin" ] || made=$bin
  mkdir -p "$bin" 2>/dev/null || die "Cannot make $bin: $(elsewhere)."
  [ ! -d "$program" ] || die "$program is a directory: remove it, or choose another place with --prefix DIR."
  remove_leftovers
  work=$(work_name)$$
  rm -rf "$work"
  (umask 077 && mkdir "$work") 2>/dev/null || {
    work=''
    need_room 1
    die "Cannot write to $bin: $(elsewhere)."
  }
}

# The new file has to run here before it replaces one that does.
try_program() {
  chmod 755 "$work/octaskly"
  attempt "$work/octaskly" version >"$work/answer"
  result=$?
  answer=$(head -n 1 "$work/answer")
  case $result in
    0) ;;
    126) die "Programs in $bin cannot be started (mounted noexec?): choose another place with --prefix DIR. Nothing was changed." ;;
    132) die 'This processor lacks instructions the program needs (AVX2 on x86_64). Nothing was changed.' ;;
    *) die "The new program does not run here (status $result: $(said)). Nothing was changed." ;;
  esac
  case $answer in
    'octaskly '*) ;;
    *) die 'The new program does not say that it is octaskly. Nothing was changed.' ;;
  esac
  [ -z "$version" ] || [ "$answer" = "octaskly $version" ] || die "This is $answer, and $version was asked for. Nothing was changed."
  [ -n "$downgrade" ] || refuse_downgrade
}

# Somebody may show an old release with a known hole.
refuse_downgrade() {
  [ -x "$program" ] && attempt "$program" version >"$work/present" || return 0
  present=$(head -n 1 "$work/present")
  case $present in
    'octaskly '*) ;;
    *) return 0 ;;
  esac
  is_before "${answer#octaskly }" "${present#octaskly }" || return 0
  die "This is $answer, and $program is $present, which is later: --allow-downgrade replaces it all the same. Nothing was changed."
}

# is_before A B: by Semantic Versioning 2.0.0, section 11.
is_before() {
  LC_ALL=C awk -v a="$1" -v b="$2" 'BEGIN {
    n = split(a, x, /[.-]/)
    m = split(b, y, /[.-]/)
    for (i = 1; i <= 3; i++) if (x[i] + 0 != y[i] + 0) exit !(x[i] + 0 < y[i] + 0)
    # What comes before a release has a tail.
    if (n == 3 || m == 3) exit !(n > m)
    for (i = 4; i <= n && i <= m; i++) {
      if (x[i] == y[i]) continue
      p = x[i] ~ /^[0-9]+$/
      q = y[i] ~ /^[0-9]+$/
      if (p != q) exit !p
      exit !(p ? x[i] + 0 < y[i] + 0 : x[i] "" < y[i] "")
    }
    exit !(n < m)
  }'
}

# completion_file SHELL
completion_file() {
  case $1 in
    bash) echo "$prefix/share/bash-completion/completions/octaskly" ;;
    zsh) echo "$prefix/share/zsh/site-functions/_octaskly" ;;
    fish) echo "$prefix/share/fish/vendor_completions.d/octaskly.fish" ;;
  esac
}

# advise_zsh DIRECTORY: zsh looks for completions in few places of its own.
advise_zsh() {
  case ${SHELL:-} in
    */zsh) ;;
    *) return 0 ;;
  esac
  # shellcheck disable=SC2016 # This is for zsh to expand.
  zsh -fc '(( ${fpath[(Ie)$1]} ))' zsh "$1" 2>/dev/null ||
    say "For zsh to find it, put this into ~/.zshrc, before compinit: fpath=($(quoted "$1") \$fpath)"
}

# What goes wrong here is no reason to be without the program.
set_up_completion() {
  for shell in bash zsh fish; do
    has "$shell" || continue
    file=$(completion_file "$shell")
    if "$work/octaskly" completion "$shell" >"$work/completion" 2>/dev/null &&
      mkdir -p "$(dirname "$file")" 2>/dev/null && mv "$work/completion" "$file" 2>/dev/null; then
      say "Completion for $shell: $file"
      [ "$shell" != zsh ] || advise_zsh "$(dirname "$file")"
    else
      warn "Cannot set up completion for $shell in $file."
    fi
  done
}

advise_path() {
  case :$PATH: in
    *:"$bin":*)
      first=$(command -v octaskly)
      [ -z "$first" ] || [ "$first" = "$program" ] || warn "Another octaskly comes first in PATH: $first."
      return
      ;;
  esac
  longer="export PATH=$(quoted "$bin"):\"\$PATH\""
  case ${SHELL:-} in
    */fish) advice="fish_add_path $(quoted "$bin")" ;;
    */zsh) advice="echo $(quoted "$longer") >> ~/.zshrc" ;;
    */bash) advice="echo $(quoted "$longer") >> ~/.bashrc" ;;
    *) advice=$longer ;;
  esac
  say "$bin is not in PATH. To change that: $advice"
}

# Asks whoever sits there, also when this script came by a pipe.
ask_for_service() {
  [ "$service" = ask ] || return 0
  service=no
  [ -n "$token" ] && [ -z "$quiet" ] && { [ -t 1 ] || [ -t 2 ]; } && (: </dev/tty) 2>/dev/null || return 0
  printf 'Keep the worker running as a service, also after a restart? [y/N] ' >/dev/tty
  read -r reply </dev/tty || reply=''
  case $reply in
    [Yy]*) service=yes ;;
  esac
}

join_cluster() {
  if [ "$service" = yes ]; then
    if [ -n "$token" ]; then
      "$program" service install worker --join "$token" || exit
    else
      "$program" service install worker || exit
    fi
  elif [ -n "$token" ]; then
    say 'Joining. Ctrl-C ends the worker; "octaskly worker" starts it again.'
    exec "$program" worker --join "$token" </dev/null
  fi
}

install_plan() {
  say "This device: $target"
  say "Would download from $from to $bin"
  if [ -n "${token_sums:-}" ]; then
    say 'Would check it against the sums in the join token'
  else
    say 'Would check its SHA-256, and the signature of a release'
  fi
  say 'Would start it once, to see that it runs here'
  say "Would put it in place: $program"
  for shell in bash zsh fish; do
    [ -z "$completion" ] || ! has "$shell" || say "Would set up completion for $shell: $(completion_file "$shell")"
  done
  [ "$service" != yes ] || say 'Would install the service: octaskly service install worker'
  [ -z "$token" ] || [ "$service" = yes ] || say 'Would join: octaskly worker --join TOKEN'
}

# Whether a dispatcher is there, or a release: $kind.
find_kind() {
  kind=dispatcher
  why=''
  if fetch download/SHA256SUMS "$work/SHA256SUMS"; then
    ! is_list "$work/SHA256SUMS" || return 0
  else
    [ -z "$unreachable" ] || cannot_fetch download/SHA256SUMS
    why=$(said)
  fi
  kind=release
  if fetch manifest.json "$work/manifest.json"; then
    found=$(version_of_manifest)
    [ -z "$found" ] || return 0
  fi
  [ -n "$why" ] || die "What came from $from/download/SHA256SUMS is no list of sums. A web page, of a network that wants you to log in first? Nothing was changed."
  printf '%s\n' "$why" >"$work/said"
  cannot_fetch download/SHA256SUMS
}

install_program() {
  check_tools
  find_source
  find_target
  find_place
  check_token
  check_libraries
  if [ -n "$dry" ]; then
    install_plan
    return
  fi
  begin
  find_kind
  if [ "$kind" = dispatcher ]; then from_dispatcher; else from_release; fi
  try_program
  # What is on the disk before it has its name is whole after a loss of power too.
  sync "$work/octaskly" 2>/dev/null || :
  [ -z "$completion" ] || set_up_completion
  mv -f "$work/octaskly" "$program" || die "Cannot put $program in place."
  # From here on something was changed, and what is stopped stops by itself.
  trap - EXIT HUP INT QUIT PIPE TERM
  clean
  say "Installed $answer: $program"
  advise_path
  ask_for_service
  join_cluster
}

# -------------------------------------------------------------------------------------------------------- uninstalling

# remove FILE
remove() {
  [ -e "$1" ] || [ -h "$1" ] || return 0
  if [ -n "$dry" ]; then
    say "Would remove $1"
  elif rm -f "$1"; then
    say "Removed $1"
  else
    die "Cannot remove $1: run this as whoever installed it."
  fi
}

# Directories that only completions were in, and that installing had made.
remove_completion() {
  for shell in bash zsh fish; do
    file=$(completion_file "$shell")
    remove "$file"
    [ -z "$dry" ] || continue
    directory=$(dirname "$file")
    until [ "$directory" = "$prefix/share" ] || ! rmdir "$directory" 2>/dev/null; do directory=$(dirname "$directory"); done
  done
}

# The files of services, one after the other: of the machine and its packages, and of this account.
service_texts() {
  cat /etc/systemd/system/octaskly-*.service /usr/lib/systemd/system/octaskly-*.service /lib/systemd/system/octaskly-*.service \
    /etc/init.d/octaskly-* /etc/octaskly/*.toml /Library/LaunchDaemons/io.octaskly.* \
    "${XDG_CONFIG_HOME:-${HOME:-}/.config}"/systemd/user/octaskly-*.service "${HOME:-}"/.termux/boot/octaskly-* \
    "${HOME:-}"/Library/LaunchAgents/io.octaskly.* 2>/dev/null
}

# Directories that services are told to use.
other_data() { service_texts | sed -n "s/.*--data-dir=\\([^\"<']*\\).*/\\1/p" | sort -u; }

# is_used WORD: of a file of a service, or the directory of one.
is_used() {
  {
    service_texts | tr -c 'A-Za-z0-9/._\n-' '\n'
    other_data
  } | grep -qxF -e "$1"
}

# What keeps starting a program must not be left behind without it.
remove_services() {
  [ -e "$program" ] || {
    say "There is no $program."
    return
  }
  if removed=$("$program" service uninstall --all ${dry:+--dry-run} </dev/null 2>&1); then
    # With --purge they do not.
    [ -z "$purge" ] || removed=$(printf '%s\n' "$removed" | sed 's/ Its data directory, and the account.*//')
    [ -z "$removed" ] || say "$removed"
  else
    warn "Cannot remove the services that run it: $removed"
    failed=$purge
  fi
}

# runs_with DIRECTORY: a dispatcher or worker does now; its process in $holder.
runs_with() {
  for lock in "$1/dispatcher.lock" "$1"/workers/*/lock; do
    [ -f "$lock" ] || continue
    holder=$(head -n 1 "$lock" | tr -cd 0-9)
    ! has flock || flock -n "$lock" true || return 0
    # Where the lock is another than flock knows.
    kill -0 "${holder:-none}" 2>/dev/null || continue
    if tr '\0' ' ' 2>/dev/null <"/proc/$holder/cmdline" | grep -q octaskly; then return 0; fi
    if ps -o command= -p "$holder" 2>/dev/null | grep -q octaskly; then return 0; fi
  done
  return 1
}

# remove_tree DIRECTORY: what is mounted there is somebody else's.
remove_tree() {
  if [ -n "$dry" ]; then
    say "Would remove $1"
    return
  fi
  case $(rm --help 2>&1) in
    *--one-file-system*) rm -rf --one-file-system "$1" ;;
    *) rm -rf "$1" ;;
  esac
  if [ -e "$1" ]; then
    stays "$1 stays, as it could not be removed wholly"
  else
    say "Removed $1"
  fi
}

# stays SENTENCE: of what --purge should have removed.
stays() {
  warn "$1."
  failed=yes
}

# Data of services of the machine, where `service install` has them keep it.
machine_data() {
  for directory in /var/lib/octaskly /var/lib/octaskly-* /usr/local/var/octaskly /usr/local/var/octaskly-*; do
    [ -d "$directory" ] || continue
    [ ! -h "$directory" ] || continue
    case $directory in
      */octaskly | */octaskly-worker) ;;
      # What is somebody's own may be called so too.
      *) [ -e "$directory/dispatcher.lock" ] || [ -d "$directory/workers" ] || continue ;;
    esac
    printf '%s\n' "$directory"
  done
}

purge_machine() {
  while IFS= read -r directory; do
    [ -n "$directory" ] || continue
    if [ -z "$dry" ] && is_used "$directory"; then
      say "$directory stays: another service uses it."
    elif [ -z "$dry" ] && runs_with "$directory"; then
      stays "$directory stays, as process $holder runs with it: stop it (kill $holder), and do this again"
    else
      remove_tree "$directory"
    fi
  done <<END
$(machine_data)
END
  for account in octaskly octaskly-worker; do purge_account "$account"; done
}

# purge_account NAME: one that was made for a service. One of that name that is somebody's own has another home.
purge_account() {
  home=$(awk -F : -v name="$1" '$1 == name { print $6 }' /etc/passwd 2>/dev/null)
  case $home in
    /var/lib/octaskly*) ;;
    *) return 0 ;;
  esac
  if [ -n "$dry" ]; then
    say "Would remove the account $1"
    return
  fi
  [ ! -e "$home" ] && ! is_used "$1" || return 0
  remover=userdel
  has userdel || remover=deluser
  if ! complaint=$("$remover" "$1" 2>&1); then
    stays "The account $1 stays (${complaint:-$remover failed}); then: $remover $1"
    return
  fi
  # Where the system has not done so; one that others are in stays.
  if grep -q "^$1:[^:]*:[^:]*:\$" /etc/group && has groupdel; then groupdel "$1"; fi
  say "Removed the account $1"
}

# What --purge leaves, as it was put elsewhere.
tell_others() {
  while IFS= read -r directory; do
    [ -d "$directory" ] || continue
    ! is_used "$directory" || continue
    account=$(awk -F : -v home="$directory" '$6 == home { print $1; exit }' /etc/passwd 2>/dev/null)
    stays "$directory stays${account:+, with the account $account}: a service was told to keep its data there. Remove it by hand (rm -rf $(quoted "$directory")${account:+; userdel $account})"
  done <<END
$1
END
}

# What cannot be done is said before anything is.
check_purge() {
  [ -n "${HOME:-}" ] || die 'HOME is not set, so nothing says where the data is: nothing was removed. Set it (HOME=/home/NAME), or leave out --purge.'
  if [ -h "$data" ] && [ -d "$data" ]; then
    there=$(cd -P "$data" 2>/dev/null && pwd)
    die "$data is a link to ${there:-a directory that cannot be entered}, where others may keep things too: nothing was removed. Look what is in there, remove it and the link (rm -rf $(quoted "$there") $(quoted "$data")), and do this again."
  fi
}

purge() {
  if [ -d "$data" ] || [ -h "$data" ]; then remove_tree "$data"; fi
  if is_root; then
    purge_machine
  else
    machine_data | while IFS= read -r directory; do
      is_used "$directory" || say "$directory stays, the data of a service of the machine. Root removes it: sudo sh install.sh --uninstall --purge"
    done
  fi
  [ -n "$dry" ] || tell_others "$1"
}

uninstall() {
  find_place
  data=${HOME:-}/.octaskly
  failed=''
  [ -z "$purge" ] || check_purge
  others=$(other_data)
  remove_services
  if [ -n "$purge" ] && [ -z "$dry" ] && runs_with "$data"; then
    die "Octaskly runs with $data, as process $holder: stop it (kill $holder), and do this again. Its services are removed, and nothing else."
  fi
  remove_completion
  remove "$program"
  # Kept by "octaskly update".
  remove "$program.previous"
  if [ -z "$dry" ]; then
    remove_leftovers
    rm -f "$bin"/.octaskly.[0-9]*.new* "$bin"/.octaskly.[0-9]*.spare
    [ "$prefix" = /usr/local ] || is_termux || rmdir "$prefix/share" "$bin" 2>/dev/null
  fi
  if [ -n "$purge" ]; then
    purge "$others"
  else
    tell_data
  fi
  [ -z "$failed" ] || exit 1
}

# What stays without --purge.
tell_data() {
  ! is_root || machine_data | while IFS= read -r directory; do
    is_used "$directory" || say "The data of a service stays in $directory. Remove it with --uninstall --purge."
  done
  [ -n "${HOME:-}" ] && [ -d "$data" ] || return 0
  say "The data stays in $data: secret, credentials, tasks. Remove it with --uninstall --purge."
}

main() {
  options "$@"
  trap clean EXIT
  trap 'interrupted 129' HUP
  trap 'interrupted 130' INT
  trap 'interrupted 131' QUIT
  trap 'interrupted 141' PIPE
  trap 'interrupted 143' TERM
  if [ "$mode" = uninstall ]; then
    uninstall
  else
    install_program
  fi
}

main "$@"
exit
}
