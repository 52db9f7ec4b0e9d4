# What the scripts of the packages for Debian and for rpm do on a machine. It goes into each of them, before the line that says
# which of it is meant. POSIX sh; nothing in it is interactive, and all of it may be done again.
#
# Services are stopped and removed, never enabled: whether this machine dispatches or works, its owner says.

# account NAME HOME COMMENT: as `octaskly service install` makes it, without a password, a shell or a directory.
# A group of that name may be there: one that others are in stays when its account is removed.
account() {
  getent group "$1" >/dev/null || groupadd --system "$1"
  getent passwd "$1" >/dev/null || useradd --system --gid "$1" --no-create-home --home-dir "$2" \
    --shell /usr/sbin/nologin --comment "$3" "$1"
}

make_accounts() {
  account octaskly /var/lib/octaskly 'Octaskly dispatcher'
  account octaskly-worker /var/lib/octaskly-worker 'Octaskly worker'
  # Takes the tasks of a worker that somebody starts as root.
  account octaskly-task /nonexistent 'Octaskly tasks'
}

make_directories() {
  for name in octaskly octaskly-worker; do
    [ -e "/var/lib/$name" ] || install -d -m 0700 -o "$name" -g "$name" "/var/lib/$name"
  done
}

# Each role may read its own configuration, and others may not: addresses of --notify are secrets.
close_configuration() {
  for role in dispatcher:octaskly worker:octaskly-worker; do
    file=/etc/octaskly/${role%%:*}.toml
    [ ! -f "$file" ] || { chown "root:$(id -g "${role#*:}")" "$file" && chmod 0640 "$file"; }
  done
}

# Whatever cannot go, as a file system that is mounted there, is told of and stays: a purge that failed would fail for ever.
remove_data() {
  for directory in /var/lib/octaskly /var/lib/octaskly-worker; do
    rm -rf --one-file-system "$directory" || echo "octaskly: $directory stays; remove it by hand." >&2
  done
}

# What was the account's goes with it. One of the same name that is somebody's own has another home.
remove_account() {
  case $(getent passwd "$1") in
    *:"$2":*) ;;
    *) return 0 ;;
  esac
  if ! userdel "$1" 2>/dev/null; then
    echo "octaskly: the account $1 stays while processes of it run; then: userdel $1" >&2
    return 0
  fi
  # Gone already where /etc/login.defs says USERGROUPS_ENAB yes; one that others are in stays.
  case $(getent group "$1") in
    *:) groupdel "$1" || : ;;
  esac
}

remove_accounts() {
  remove_account octaskly /var/lib/octaskly
  remove_account octaskly-worker /var/lib/octaskly-worker
  remove_account octaskly-task /nonexistent
}

is_running() { [ -d /run/systemd/system ]; }

reload_units() {
  if is_running; then systemctl daemon-reload || :; fi
}

# With the new program, where they ran with the former one. A worker hands its tasks back before it ends.
restart_services() {
  if is_running; then systemctl --no-block try-restart 'octaskly-dispatcher*.service' 'octaskly-worker*.service' || :; fi
}

# Units that `octaskly service install` made for the program of this package.
own_units() { grep -ls '^ExecStart="/usr/bin/octaskly"' /etc/systemd/system/octaskly-*.service || :; }

stop_services() {
  if is_running; then systemctl stop 'octaskly-dispatcher*.service' 'octaskly-worker*.service' || :; fi
  command -v systemctl >/dev/null || return 0
  for unit in octaskly-dispatcher.service octaskly-worker.service $(own_units); do
    systemctl disable "${unit##*/}" 2>/dev/null || :
  done
}

remove_units() {
  for unit in $(own_units); do rm -f "$unit"; done
}

tell_what_next() {
  cat <<'END'
Octaskly is installed; nothing of it runs yet. On the machine that gives out work:
  systemctl enable --now octaskly-dispatcher
On one that works, with the token of "octaskly invite" of the dispatcher:
  runuser -u octaskly-worker -- octaskly join TOKEN --config /etc/octaskly/worker.toml
  systemctl enable --now octaskly-worker
Options: /etc/octaskly
END
}
