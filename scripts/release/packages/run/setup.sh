#!/bin/sh
# Started by the self-extracting archive it lies in: installs what lies beside it, by the options it was given.
set -u
here=$(pwd)
sums=$(sed -n 1p ./manifest.sha256)
# What is relative among the options is so to where the user is: somewhere a user whom root stands in for may not be.
cd "${USER_PWD:-$here}" 2>/dev/null || cd / || exit
for option; do
  case $option in
    --from | --from=* | --sums | --sums=*)
      echo "octaskly: $option: this file brings the program with it; install.sh takes it from elsewhere." >&2
      exit 2
      ;;
  esac
done
sh "$here/install.sh" --from "$here" --sums "$sums" "$@"
