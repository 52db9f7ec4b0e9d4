#!/bin/sh
# What `octaskly` is in the commands of the documentation: the compiled file, with what makes its commands end.
#
# A role is a device of its own, on loopback and free ports; it goes on until it stands, and is then stopped. So is what
# shows something until it is stopped. Each call is noted with its status in $OCTASKLY_DOCS/calls.

real=$OCTASKLY_DOCS_PROGRAM
place=$OCTASKLY_DOCS
readySteps=600

# a home of its own, as another device has
device() {
  HOME=$(mktemp -d "$place/device.XXXXXX")
  OCTASKLY_DATA_DIR=$HOME/.octaskly
  # The account of tasks has to come by.
  chmod 711 "$HOME"
  OCTASKLY_WORK_DIR=$HOME/work
  export HOME OCTASKLY_DATA_DIR OCTASKLY_WORK_DIR
}

# until PATTERN COMMAND...: runs it until it has written the pattern; its status, or 0 when it did
until_written() {
  pattern=$1
  shift
  log=$(mktemp "$place/log.XXXXXX")
  "$@" > "$log" 2>&1 < /dev/null &
  child=$!
  step=0
  while [ $step -lt $readySteps ] && ! grep -Eq "$pattern" "$log" && kill -0 $child 2> /dev/null; do
    sleep 0.05
    step=$((step + 1))
  done
  grep -Eq "$pattern" "$log"
  missing=$?
}

until_ready() {
  until_written "$@"
  kill -TERM $child 2> /dev/null
  wait $child
  ended=$?
  [ $missing -eq 0 ] && return 0
  cat "$log" >&2
  [ $ended -ne 0 ] && return $ended
  return 1
}

dispatcher() {
  device
  OCTASKLY_PORT=0 OCTASKLY_API_PORT=0 OCTASKLY_BIND=127.0.0.1 OCTASKLY_API_BIND=127.0.0.1 \
    until_ready 'dispatcher ready' "$real" "$@"
}

worker() {
  device
  OCTASKLY_DISPATCHER=127.0.0.1 until_ready 'Joined the dispatcher|asks to join' "$real" "$@"
}

# A device that waits to be let in, and its code in the place of the one in the text.
decide() {
  decision=$1
  shift
  here=$HOME
  device
  OCTASKLY_DISPATCHER=127.0.0.1 until_written 'approve [0-9]{6}' "$real" worker
  code=$(sed -n 's/.*octaskly approve \([0-9]\{6\}\).*/\1/p' "$log" | head -n 1)
  HOME=$here OCTASKLY_DATA_DIR=$here/.octaskly "$real" "$decision" "$code"
  status=$?
  kill -TERM $child 2> /dev/null
  wait $child
  return $status
}

# A view of what happens has no end; whoever cuts it off has seen it.
view() {
  timeout -s TERM 0.6 "$@"
  status=$?
  [ $status -eq 124 ] && return 0
  return $status
}

call() {
  case "$*" in
    dispatcher | 'dispatcher '* | up | 'up '*) dispatcher "$@" ;;
    worker | 'worker '*) worker "$@" ;;
    'join '*) device && "$real" "$@" ;;
    'restore --data-dir'*) "$real" "$@" ;;
    'restore '*) device && "$real" "$@" ;;
    'approve 123456' | 'reject 123456') decide "$@" ;;
    # Cut off within the terminal: `script` itself takes seconds to end.
    ui | 'ui '*) script -qec "TERM=xterm-256color timeout --foreground -s TERM 0.6 '$real' $*; [ \$? -eq 124 ]" /dev/null > /dev/null ;;
    # Who is there answers at once; nobody else does.
    peers) "$real" peers --wait 500ms ;;
    watch | 'watch '* | 'peers --watch'* | 'logs --node'*' -f'*) view "$real" "$@" ;;
    # Nothing of it belongs on a real network, and what is wrong with this machine is not the page's fault.
    'doctor'*)
      OCTASKLY_DISCOVERY=false "$real" "$@"
      [ $? -le 1 ]
      ;;
    *) "$real" "$@" ;;
  esac
}

call "$@"
status=$?
printf '%s %s\n' "$status" "$*" >> "$place/calls"
exit $status
