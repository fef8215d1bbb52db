# Checks the flags and files of this machine's units, like --config.check, before a restart. Needs root. It starts a
# copy of each unit once, with all drop-ins, so systemd gives it the same flags (EnvironmentFile=), user and
# credentials.

folder=/run/systemd/system
prefix=xen-exporter-check-$$

clean_up() {
  rm -f "$folder/$prefix"-* "/run/$prefix"-*
  systemctl daemon-reload
  systemctl reset-failed "$prefix-*" 2>/dev/null || true
}

# Prints the settings of a unit and its drop-ins, one per line, without those that start, stop or delete anything else.
text_of() {
  systemctl cat "$1" | sed -e ':join' -e '/\\$/{' -e 'N' -e 's/\\\n/ /' -e 'b join' -e '}' |
    sed -E '/^(Wants|Requires|Requisite|BindsTo|PartOf|Upholds|Conflicts|OnFailure|OnSuccess|Exec(StartPre|StartPost|Stop|StopPost|Reload|Condition)) *=/d'
}

# The copy's credentials have their own path, but flags name the unit's.
with_own_credentials() {
  sed "s,/run/credentials/$1/,/run/credentials/$copy/,g"
}

copy_unit() {
  text_of "$1" | sed -E 's/^(ExecStart *= *[^ ].*)$/\1 --config.check/' | with_own_credentials "$1" >"$folder/$copy"
  number=0
  sed -n -E 's/^EnvironmentFile *= *-?(\/.*)$/\1/p' "$folder/$copy" | while read -r file; do
    number=$((number + 1))
    if [ -e "$file" ]; then
      with_own_credentials "$1" <"$file" >"/run/$name.$number"
      sed -i -E "s,^(EnvironmentFile *= *-?)$file\$,\1/run/$name.$number," "$folder/$copy"
    fi
  done
  cat >>"$folder/$copy" <<END
[Service]
Type=oneshot
Restart=no
WatchdogSec=0
RuntimeDirectory=
SyslogIdentifier=$name
END
}

check() {
  echo "$1:"
  # The journal distinguishes the copies by it.
  name=$prefix-${1%.service}
  copy=$name.service
  copy_unit "$1"
  systemctl daemon-reload
  if systemctl start "$copy" 2>/dev/null; then status=0; else status=1; fi
  journalctl --sync 2>/dev/null || true
  journalctl --quiet --output=cat --identifier="$name" --unit="$copy" | tail -n 20
  return "$status"
}

if [ "$(id -u)" != 0 ]; then
  echo "check-units: needs root" >&2
  exit 1
fi
# The copies' files may contain passwords.
umask 077
trap clean_up EXIT
# Use the files on disk, as the next start will.
systemctl daemon-reload
failed=0
for unit in $(fitting_units); do check "$unit" || failed=1; done
exit "$failed"
