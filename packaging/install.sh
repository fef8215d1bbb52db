#!/bin/sh
# Installs, upgrades and removes xen-exporter from its tarball: install.sh [--no-start] | --uninstall [--purge] | --help. Needs root.
#
# Installs to /usr/lib/xen-exporter, /usr/bin/xen-exporter, /usr/share/xen-exporter (rules, runbooks, dashboards), this
# machine's systemd units, and /etc/default/xen-exporter, which upgrades do not change. --root=FOLDER installs into a
# folder, without user and systemd.
set -eu
# Root may write the new files and folders, and all users may read them, regardless of the caller's umask.
umask 022

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=packaging/system.sh
. "$here/system.sh"

program=/usr/bin/xen-exporter
library=/usr/lib/xen-exporter
share=/usr/share/xen-exporter
# The first systemd that has all groups of system calls in the units' filter.
filter_groups_since=235

fail() {
  echo "install.sh: $1" >&2
  exit 1
}

say_usage() {
  sed -n '2,6s/^# \{0,1\}//p' "$here/install.sh"
}

# Lets all users read files and only root write them, regardless of the umask of unpacking.
open_to_readers() {
  chmod -R u=rwX,go=rX "$@"
}

# Only root may replace files in it, even if an earlier installer obeyed its umask.
make_folder() {
  mkdir -p "$1"
  chmod go-w "$1"
}

has_systemd() {
  [ -z "$root" ] && [ -d /run/systemd/system ]
}

systemd_version() {
  systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p'
}

# Installs the program alone if the system can run it, otherwise with its own loader and libraries.
copy_program() {
  new=$root$library.new
  rm -rf "$new"
  mkdir -p "$new"
  if "$here/lib/xen-exporter" --version >/dev/null 2>&1; then
    cp -R "$here/lib/xen-exporter" "$here/lib/addons" "$new/"
    start=xen-exporter
  else
    cp -R "$here/lib/." "$new/"
    start=xen-exporter.sh
  fi
  cp "$here/check-units" "$new/"
  open_to_readers "$new"
  # A running daemon keeps its old files. The next start uses the new ones.
  rm -rf "$root$library.old"
  if [ -e "$root$library" ]; then mv "$root$library" "$root$library.old"; fi
  mv "$new" "$root$library"
  rm -rf "$root$library.old"
  make_folder "$root/usr/bin"
  ln -sfn "../lib/xen-exporter/$start" "$root$program"
}

# Files for Prometheus, Alertmanager and Grafana, and the runbooks.
copy_share() {
  rm -rf "$root$share"
  make_folder "$root${share%/*}"
  mkdir "$root$share"
  cp -R "$here/share/." "$root$share/"
  open_to_readers "$root$share"
}

# Otherwise SELinux labels files below /usr/lib as libraries.
label_program() {
  if command -v selinuxenabled >/dev/null && selinuxenabled; then chcon -R -t bin_t "$library"; fi
}

copy_units() {
  make_folder "$root$unit_folder"
  for unit in $units $sockets; do
    cp "$here/systemd/$unit" "$root$unit_folder/"
    open_to_readers "$root$unit_folder/$unit"
  done
}

# An upgrade does not change the administrator's flags, even if they are empty.
copy_defaults() {
  make_folder "$root/etc/default"
  if [ "$is_upgrade" = no ]; then create_defaults "$here/share/default"; fi
  # It contains flags of a root process. An administrator may have hidden it, but only root may write it.
  if [ -e "$root$defaults" ]; then chmod go-w "$root$defaults"; fi
}

# An old systemd cannot run the units with their system call filter.
fit_old_systemd() {
  if [ "$(systemd_version)" -ge "$filter_groups_since" ]; then return; fi
  for unit in $units; do
    make_folder "$drop_ins/$unit.d"
    cp "$here/systemd/systemd-219.conf" "$drop_ins/$unit.d/"
    open_to_readers "$drop_ins/$unit.d/systemd-219.conf"
  done
}

install_all() {
  if [ -z "$root" ]; then
    [ "$(id -u)" = 0 ] || fail 'needs root'
    if command -v dpkg-query >/dev/null && dpkg-query -S "$program" >/dev/null 2>&1; then
      fail "$program belongs to a Debian package: upgrade that, or remove it first"
    fi
    create_account
  fi
  if [ -e "$root$library" ]; then is_upgrade=yes; else is_upgrade=no; fi
  copy_program
  copy_share
  copy_units
  copy_defaults
  if [ -z "$root" ]; then label_program; fi
  if has_systemd; then
    fit_old_systemd
    systemctl daemon-reload
    for unit in $(fitting_units); do
      systemctl enable "$unit"
      if [ "$starts" = yes ]; then systemctl restart "$unit"; fi
    done
  fi
  "$root$program" --version
}

uninstall_all() {
  if has_systemd; then
    for unit in $sockets $units; do systemctl disable --now "$unit" 2>/dev/null || true; done
  fi
  rm -rf "$root$program" "$root$library" "$root$share"
  for unit in $units $sockets; do
    rm -f "$root$unit_folder/$unit"
    folder=$root$drop_ins/$unit.d
    if [ -d "$folder" ]; then
      rm -f "$folder/user.conf" "$folder/systemd-219.conf"
      rmdir --ignore-fail-on-non-empty "$folder"
    fi
  done
  if [ "$purges" = yes ]; then rm -rf "$root$defaults" "$root$config_folder"; fi
  if [ -z "$root" ]; then
    delete_state
    delete_account
  fi
  if has_systemd; then systemctl daemon-reload; fi
}

units='xen-exporter.service xen-exporter-dom0.service xen-exporter-helper.service'
# Only an administrator enables these.
sockets='xen-exporter.socket xen-exporter-dom0.socket'
drop_ins=/etc/systemd/system
root='' action=install_all starts=yes purges=no
for argument in "$@"; do
  case $argument in
    --root=/*) root=${argument#--root=} ;;
    --no-start) starts=no ;;
    --uninstall) action=uninstall_all ;;
    --purge) purges=yes ;;
    --help)
      say_usage
      exit
      ;;
    *) fail "$argument: expected --root=FOLDER (absolute), --no-start, --uninstall, --purge or --help" ;;
  esac
done
$action
