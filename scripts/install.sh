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
dry='' quiet='' purge='' completion=yes insecure='' sums=''
work='' child='' bin='' program='' target='' made=''

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
  --no-completion  do not set up completion for bash, zsh and fish
  --uninstall      remove the program, its completion and its service
  --purge          with --uninstall: also remove ~/.octaskly, the data
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
  [ -z "$made" ] || rmdir "$made" 2>/dev/null
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
  status=$?
  child=''
  return "$status"
}

# Each line once: curl says the same at every attempt.
said() { awk '!seen[$0]++' "$work/said" | tr '\n' ' ' | cut -c 1-300 | sed 's/ *$//'; }

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
    elif [ "$(id -u)" = 0 ]; then
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

# fetch WHAT FILE [again]: of $from, which is an address or a directory. "again": others may be downloading, so be patient.
# Sets $unreachable when nobody answered, as far as that can be told.
fetch() {
  unreachable=''
  case $from in
    http://* | https://*) ;;
    *)
      attempt cp "$from/$1" "$2"
      return
      ;;
  esac
  if has curl; then
    patience=30
    [ "${3:-}" != again ] || patience=1200
    # A minute without a byte counts as a failure: curl itself would wait for ever.
    set -- "$1" "$2" --connect-timeout 10 --speed-limit 1 --speed-time 60 --retry 20 --retry-delay 3 --retry-max-time "$patience"
    [ -z "$pin" ] || set -- "$@" -k --pinnedpubkey "$pin"
    curl_fetch "$@"
    status=$?
    # 22: there was an answer, and it was no.
    [ "$status" = 0 ] || [ "$status" = 22 ] || unreachable=yes
    return "$status"
  elif [ -n "$pin" ]; then
    die 'The dispatcher has a certificate of its own, by which only curl can know it: install curl.'
  elif has wget; then
    tries=0
    # Busybox built with glibc dies of -T (1.35), and GNU wget waits for 15 minutes without.
    timeout=
    case $(wget --version 2>&1) in
      *'GNU Wget'*) timeout=-T60 ;;
    esac
    until attempt wget -q ${timeout:+"$timeout"} -O "$2" "$from/$1"; do
      tries=$((tries + 1))
      # What a server answered is not to be had of every wget; asking again for what is not there costs a moment.
      [ "$tries" -lt 4 ] && [ "${3:-}" = again ] || return 1
      attempt sleep 3
    done
  else
    die 'Neither curl nor wget is here: install one of them.'
  fi
}

# curl_fetch WHAT FILE OPTION...
curl_fetch() {
  what=$1 file=$2
  shift 2
  attempt curl -fsSL "$@" -o "$file" "$from/$what"
}

free_kilobytes() { df -Pk "$bin" 2>/dev/null | awk 'NR == 2 { print $4 }'; }

cannot_fetch() {
  free=$(free_kilobytes)
  if [ "${free:-999999}" -lt 8192 ]; then
    die "There is no space left in $bin ($free kB): octaskly needs 180 MB while it is installed, 120 MB after. Nothing was changed."
  fi
  die "Cannot fetch $from/$1: $(said). Nothing was changed."
}

sha256() {
  if has sha256sum; then
    sha256sum
  elif has shasum; then
    shasum -a 256
  else
    openssl dgst -sha256 -r
  fi | cut -c 1-64
}

check_tools() {
  has sha256sum || has shasum || has openssl ||
    die 'None of sha256sum, shasum and openssl is here, so nothing can be checked: install one of them.'
}

# Of "octa2" and base64url: three lines, the sums it holds and its checksum in hexadecimal, and what that is of, escaped.
read_token() {
  printf '%s\n' "${token#octa2}" | awk '{
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    count = bits = held = 0
    for (i = 1; i <= length($0); i++) {
      held = held * 64 + index(letters, substr($0, i, 1)) - 1
      bits += 6
      if (bits < 8) continue
      bits -= 8
      # Not 2 ^ bits: the awk of busybox may be built without.
      unit = bits == 4 ? 16 : bits == 2 ? 4 : 1
      bytes[count] = int(held / unit)
      held -= bytes[count++] * unit
    }
    for (i = 0; i < 32; i++) sums = sums sprintf("%02x", bytes[i])
    for (i = count - 4; i < count; i++) check = check sprintf("%02x", bytes[i])
    for (i = 0; i < count - 4; i++) body = body sprintf("\\%03o", bytes[i])
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
  say "Downloading octaskly for $target from $from"
  if has gzip && fetch "download/$target.gz" "$work/octaskly.gz" again && attempt gzip -d "$work/octaskly.gz"; then
    :
  else
    rm -f "$work/octaskly.gz" "$work/octaskly"
    fetch "download/$target" "$work/octaskly" again || cannot_fetch "download/$target"
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

# Whether the manifest is the one of whoever holds the key; says why not in $unsigned.
is_signed() {
  unsigned=''
  if [ -z "$baked_key" ]; then
    unsigned='this script was had without a key'
  elif ! has openssl; then
    unsigned='openssl is not here'
  elif ! fetch manifest.json.sig "$work/manifest.json.sig"; then
    unsigned='there is no signature'
  else
    printf -- '-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n' "$baked_key" >"$work/key.pem"
    tr -d '\r\n' <"$work/manifest.json.sig" | openssl base64 -d -A >"$work/signature" 2>/dev/null
    if attempt openssl pkeyutl -verify -pubin -inkey "$work/key.pem" -rawin -in "$work/manifest.json" \
      -sigfile "$work/signature" >"$work/verdict"; then
      return 0
    fi
    grep -q 'Verification Failure' "$work/verdict" "$work/said" 2>/dev/null &&
      die "REFUSED: the release at $from is not signed by the key of this script. Nothing was changed."
    # The openssl of macOS, and those before 3.0, do not know such keys.
    unsigned='the openssl here cannot check it'
  fi
  return 1
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
  found=$(tr -d ' \t\r\n' <"$work/manifest.json" | sed -n 's/.*"version":"\([0-9A-Za-z.-]*\)".*/\1/p')
  [ -z "$version" ] || [ "$version" = "$found" ] || die "The release at $from is $found, and $version was asked for."
  archive=octaskly-$found-$target.tar.gz
  sum=$(fact "$archive" sha256)
  [ -n "$sum" ] || die "The release $found at $from has nothing for $target."
  if fetch SHA256SUMS "$work/SHA256SUMS"; then
    listed=$(awk -v file="$archive" '$2 == file || $2 == "*" file { print $1; exit }' "$work/SHA256SUMS")
    [ -z "$listed" ] || [ "$listed" = "$sum" ] || die "REFUSED: SHA256SUMS and manifest.json of $from do not agree on $archive. Nothing was changed."
  fi
  say "Fetching octaskly $found for $target from $from"
  fetch "$archive" "$work/archive.tar.gz" again || cannot_fetch "$archive"
  check_sum "$work/archive.tar.gz" "$sum" "$archive"
  attempt tar -xzf "$work/archive.tar.gz" -C "$work" "octaskly-$found-$target/octaskly" || cannot_fetch "$archive"
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
  mkdir -p "$bin" 2>/dev/null || die "Cannot make $bin: choose another place with --prefix DIR, or run this as root."
  [ ! -d "$program" ] || die "$program is a directory: remove it, or choose another place with --prefix DIR."
  remove_leftovers
  work=$(work_name)$$
  rm -rf "$work"
  (umask 077 && mkdir "$work") 2>/dev/null || {
    work=''
    free=$(free_kilobytes)
    [ "${free:-1}" != 0 ] || die "There is no space left in $bin. Nothing was changed."
    die "Cannot write to $bin: choose another place with --prefix DIR, or run this as root."
  }
}

# The new file has to run here before it replaces one that does.
try_program() {
  chmod 755 "$work/octaskly"
  attempt "$work/octaskly" version >"$work/answer"
  status=$?
  answer=$(head -n 1 "$work/answer")
  case $status in
    0) ;;
    126) die "Programs in $bin cannot be started (mounted noexec?): choose another place with --prefix DIR. Nothing was changed." ;;
    132) die 'This processor lacks instructions the program needs (AVX2 on x86_64). Nothing was changed.' ;;
    *) die "The new program does not run here (status $status: $(said)). Nothing was changed." ;;
  esac
  case $answer in
    'octaskly '*) ;;
    *) die 'The new program does not say that it is octaskly. Nothing was changed.' ;;
  esac
  [ -z "$version" ] || [ "$answer" = "octaskly $version" ] || die "This is $answer, and $version was asked for. Nothing was changed."
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
    say "For zsh to find it, put this into ~/.zshrc, before compinit: fpath=(\"$1\" \$fpath)"
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
  # shellcheck disable=SC2016 # This is for another shell to expand.
  case ${SHELL:-} in
    */fish) advice="fish_add_path $bin" ;;
    */zsh) advice="echo 'export PATH=\"$bin:\$PATH\"' >> ~/.zshrc" ;;
    */bash) advice="echo 'export PATH=\"$bin:\$PATH\"' >> ~/.bashrc" ;;
    *) advice="export PATH=\"$bin:\$PATH\"" ;;
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
  if fetch download/SHA256SUMS "$work/SHA256SUMS"; then
    from_dispatcher
  else
    [ -z "$unreachable" ] || cannot_fetch download/SHA256SUMS
    why=$(said)
    fetch manifest.json "$work/manifest.json" || {
      printf '%s\n' "$why" >"$work/said"
      cannot_fetch download/SHA256SUMS
    }
    from_release
  fi
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

uninstall() {
  find_place
  data=${HOME:-}/.octaskly
  if [ ! -e "$program" ]; then
    say "There is no $program."
  else
    # What keeps starting a program must not be left behind without it.
    if removed=$("$program" service uninstall --all ${dry:+--dry-run} </dev/null 2>&1); then
      [ -z "$removed" ] || say "$removed"
    else
      warn "Cannot remove the services that run it: $removed"
    fi
  fi
  for shell in bash zsh fish; do remove "$(completion_file "$shell")"; done
  remove "$program"
  [ -n "$dry" ] || remove_leftovers
  [ -n "${HOME:-}" ] && [ -d "$data" ] || return 0
  if [ -z "$purge" ]; then
    say "The data stays in $data: secret, credentials, tasks. Remove it with --uninstall --purge."
  elif [ -n "$dry" ]; then
    say "Would remove $data"
  else
    rm -rf "$data" && say "Removed $data"
  fi
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
