# shellcheck shell=sh
# Shared by the Debian package and the tarball's installer. Sourced, not run.

account=xen-exporter
unit_folder=/usr/lib/systemd/system
config_folder=/etc/xen-exporter
defaults=/etc/default/xen-exporter
# Root folder of the installation; empty for this machine.
root=${DPKG_ROOT:-}

# Dom0, by either of two paths that only its kernel has, or a driver domain, which its administrator marks. The units
# assert the same.
is_host() {
  [ -e /proc/xen/xsd_port ] || [ -e /dev/xen/xenbus_backend ] || [ -e "$config_folder/driver-domain" ]
}

# The units of this machine: two in Dom0 and driver domains, otherwise one.
fitting_units() {
  if is_host; then
    printf '%s\n' xen-exporter-helper.service xen-exporter-dom0.service
  else
    printf '%s\n' xen-exporter.service
  fi | while read -r unit; do
    if [ -e "$root$unit_folder/$unit" ]; then echo "$unit"; fi
  done
}

# Copies the flags at a first installation, unless the administrator has some, and reports their unexpected effects.
create_defaults() {
  if [ -e "$root$defaults" ]; then return; fi
  mkdir -p "$root${defaults%/*}"
  cp "$1" "$root$defaults"
  chmod 644 "$root$defaults"
  echo "xen-exporter listens on 127.0.0.1 alone until you change LISTEN in $defaults."
}

create_account() {
  if ! getent passwd "$account" >/dev/null; then
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$account"
  fi
}

# Keys in the configuration may belong to the account. Then keep it, so that no new account inherits them with its
# number.
delete_account() {
  if ! getent passwd "$account" >/dev/null; then return; fi
  if [ -d "$config_folder" ] && [ -n "$(find "$config_folder" \( -user "$account" -o -group "$account" \) -print)" ]; then
    echo "The user $account stays: files in $config_folder belong to it."
  else
    userdel "$account"
  fi
}

# Files that the daemon wrote. A dynamic user of systemd has them in the folder private.
delete_state() {
  rm -rf "$root/var/lib/xen-exporter" "$root/var/lib/private/xen-exporter"
}
