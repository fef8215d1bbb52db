#!/bin/bash
# build.sh OUT NODE [PACKAGE...]: makes the images of the lab from Debian 12's packages, in about a minute.
#   OUT       folder for xen, vmlinuz, initrd.img, root.img, and the key id_lab that opens every machine of the lab
#   NODE      the program node to put into the image; it must run with Debian 12's libc
#   PACKAGE   more Debian packages for the image
# Runs as root (it makes a root filesystem). Asks the Debian mirror that this machine's apt is set up with, and nothing else.
set -euo pipefail
out=$1 node=$2; shift 2
here=$(cd "$(dirname "$0")" && pwd)
suite=bookworm
packages=(mount systemd iproute2 bridge-utils ethtool procps python3-minimal kmod udev iputils-ping libstdc++6 openssh-server
  nftables nginx-light apache2-utils netcat-openbsd curl busybox-static xen-utils-4.17 xen-utils-common xenstore-utils "$@")

mkdir -p "$out"
work=$(mktemp -d "$out/build.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root

# The mirror of this machine's apt, for the lab's release: "deb [signed-by=...] URI SUITE main".
mirrors() {
  local own
  own=$(. /etc/os-release; echo "$VERSION_CODENAME")
  apt-get indextargets --format '$(CREATED_BY)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)' |
    awk -F'|' -v own="$own" -v suite=$suite '
      $1 == "Packages" && $4 == "main" && ($3 == own || $3 == own "-updates" || $3 == own "-security") {
        sub(own, suite, $3)
        if (seen[$2, $3]++) next
        if ($5 == "" || $5 ~ /^[$]/) $5 = "/usr/share/keyrings/debian-archive-keyring.gpg"
        printf "deb [signed-by=%s] %s %s main\n", $5, $2, $3
      }'
}

# Kernel and hypervisor are unpacked, not installed: nothing in the lab boots from a disk of its own.
fetch_kernel='
  cd "$KERNEL_FOLDER" && export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG
  kernel=$(apt-cache depends linux-image-amd64 | sed -n "s/.*Depends: \(linux-image-[0-9].*\)/\1/p")
  apt-get download -qq "$kernel" xen-hypervisor-4.17-amd64'

make_root() {
  mirrors >"$work/sources.list"
  [ -s "$work/sources.list" ] || { echo "$0: apt is set up with no Debian mirror (has apt-get update been run?)" >&2; exit 1; }
  mkdir "$work/deb" "$work/unpacked"
  chmod 755 "$work"
  KERNEL_FOLDER=$work/deb mmdebstrap --quiet --mode=root --variant=apt \
    --aptopt='APT::Install-Recommends "false"' --aptopt='APT::Sandbox::User "root"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt=force-unsafe-io --customize-hook="$fetch_kernel" \
    --include="$(IFS=,; echo "${packages[*]}")" $suite "$root" "$work/sources.list"
  rm -rf "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
  local deb
  for deb in "$work"/deb/*.deb; do dpkg -x "$deb" "$work/unpacked"; done
}

# The modules that the lab needs, in the root filesystem.
add_modules() {
  version=$(basename "$work"/unpacked/lib/modules/*)
  local from=$work/unpacked/lib/modules/$version to=$root/lib/modules/$version part
  mkdir -p "$to/kernel"
  cp "$from"/modules.{order,builtin,builtin.modinfo} "$to"
  cd "$from/kernel"
  for part in arch crypto lib net fs/ext4 fs/jbd2 fs/mbcache.ko fs/overlayfs drivers/xen drivers/virtio drivers/acpi \
    drivers/char/hw_random drivers/block/virtio_blk.ko drivers/block/loop.ko drivers/block/xen-blkfront.ko \
    drivers/block/xen-blkback drivers/net/virtio_net.ko drivers/net/net_failover.ko drivers/net/xen-netfront.ko \
    drivers/net/xen-netback drivers/net/tun.ko drivers/net/veth.ko drivers/net/dummy.ko drivers/net/ifb.ko \
    drivers/pci/xen-pcifront.ko; do cp -a --parents "$part" "$to/kernel"; done
  cd - >/dev/null
  chroot "$root" depmod "$version"
}

# One initramfs for Dom0 and guests: busybox, the modules of the root disk in the order in which they load, and init.
make_initramfs() {
  local tree=$work/initramfs module
  mkdir -p "$tree"/{bin,etc,modules}
  cp "$root/bin/busybox" "$tree/bin"
  install -m755 "$here/initramfs-init" "$tree/init"
  for module in crc32c_generic crc32c-intel virtio_pci virtio_blk xen-blkfront ext4 overlay; do
    chroot "$root" modprobe --set-version "$version" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
  done | awk '!seen[$0]++' | while read -r module; do
    cp "$root$module" "$tree/modules"
    basename "$module"
  done >"$tree/etc/modules.order"
  (cd "$tree" && find . | cpio --quiet -o -H newc | zstd -q -3 -T0) >"$out/initrd.img"
}

# Where systemd is init, it starts what the tests install, and /lab/boot; what Debian's packages would have started, /lab/boot does.
set_up_systemd() {
  # Empty: every machine makes an identity of its own, and it is not its first boot, at which everything would be enabled again.
  : >"$root/etc/machine-id"
  rm -rf "$root"/etc/systemd/system/*.wants "$root"/etc/rc?.d
  chroot "$root" systemctl --quiet enable lab.service
  chroot "$root" systemctl --quiet set-default multi-user.target
  # Nobody logs in at a console, devices are the kernel's and /lab/boot's, and caches of a system that lasts an hour are not worth their minute.
  chroot "$root" systemctl --quiet mask getty.target timers.target systemd-{logind,update-utmp,update-utmp-runlevel}.service \
    systemd-udevd.service systemd-udevd-{control,kernel}.socket systemd-udev-{trigger,settle}.service \
    systemd-{hwdb-update,journal-catalog-update,update-done,random-seed,binfmt}.service proc-sys-fs-binfmt_misc.automount
}

finish_root() {
  cp -a --no-preserve=ownership "$here/overlay/." "$root"
  install -m755 "$node" "$root/usr/bin/node"
  # busybox is init, and knows it by the name that it is called by; initramfs-init puts systemd in its place where that is asked for.
  local name
  for name in init reboot poweroff halt; do ln -sf /bin/busybox "$root/sbin/$name"; done
  set_up_systemd
  mkdir -p "$root/boot"
  cp "$out/vmlinuz" "$root/boot/vmlinuz-guest"
  cp "$out/initrd.img" "$root/boot/initrd-guest"
  # One throw-away key for all machines, made here.
  rm -f "$out"/id_lab{,.pub} "$root"/etc/ssh/ssh_host_*
  ssh-keygen -q -t ed25519 -N '' -C lab -f "$out/id_lab"
  ssh-keygen -q -t ed25519 -N '' -C lab -f "$root/etc/ssh/ssh_host_ed25519_key"
  install -D -m600 "$out/id_lab" "$root/root/.ssh/id_ed25519"
  install -m600 "$out/id_lab.pub" "$root/root/.ssh/authorized_keys"
  chmod 700 "$root/root" "$root/root/.ssh"
  chmod 600 "$root"/root/.ssh/*
}

make_disk() {
  local mebibytes=$(($(du -sm "$root" | cut -f1) + 60))
  rm -f "$out/root.img"
  truncate -s "${mebibytes}M" "$out/root.img"
  mke2fs -q -t ext4 -O ^has_journal -m 0 -E lazy_itable_init=1 -d "$root" "$out/root.img"
}

make_root
cp "$work"/unpacked/boot/vmlinuz-* "$out/vmlinuz"
# QEMU's multiboot loader wants the plain 32-bit ELF file.
gzip -dc "$work"/unpacked/boot/xen-4.17-amd64.gz >"$out/xen"
add_modules
make_initramfs
finish_root
make_disk
