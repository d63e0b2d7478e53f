#!/bin/bash
# A systemd as PID 1 over a throw-away copy of this machine's file system. Started by box.py, in namespaces of its own and in
# a cgroup of its own. $1: an empty folder; $2: the packages that are to be seen in /opt/library.
set -euo pipefail
layer=$1 library=$2
cgroups=$(awk '{ for (i = 7; i <= NF; i++) if ($i == "-") { split($(i + 3), o, ","); print $5, $(i + 1), $(i + 3) } }' /proc/self/mountinfo |
  awk '$1 ~ "^/sys/fs/cgroup" && ($2 == "cgroup" || $2 == "cgroup2")')

mount --make-rprivate /
mount -t tmpfs -o size=4g,mode=755 tmpfs "$layer"
mkdir -p "$layer"/{upper,work,root}
mount -t overlay overlay -o lowerdir=/,upperdir="$layer/upper",workdir="$layer/work" "$layer/root"
root=$layer/root
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
# cgroup file systems that are mounted anew show the namespace's own cgroup as their top
if grep -q '^/sys/fs/cgroup cgroup2 ' <<<"$cgroups"; then
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
  mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
  while read -r path type options; do
    mkdir -p "$root$path"
    if [[ $type == cgroup2 ]]; then mount -t cgroup2 cgroup2 "$root$path"
    else mount -t cgroup -o "${options#rw,}" cgroup "$root$path"; fi
  done <<<"$cgroups"
fi
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/opt/library"
mount --bind -o ro "$library" "$root/opt/library"
mkdir -p "$root/run/lock" "$root/var/log/journal" "$root/put_old"
# what is enabled on this machine has no business in the box
rm -rf "$root"/etc/systemd/system/*.wants "$root/etc/fstab"
# nor may the box change what it shares with this machine: the kernel's settings, modules and devices
for unit in systemd-sysctl.service systemd-binfmt.service systemd-modules-load.service modprobe@.service systemd-udevd.service \
  systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-udev-trigger.service systemd-tmpfiles-setup-dev.service \
  dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount \
  systemd-remount-fs.service systemd-networkd.service systemd-resolved.service systemd-timesyncd.service systemd-logind.service \
  console-getty.service getty.target; do
  ln -sfn /dev/null "$root/etc/systemd/system/$unit"
done
: >"$root/etc/machine-id"
cd "$root"
pivot_root . put_old
umount -l /put_old
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=sttd-tests \
  /lib/systemd/systemd --system --unit=multi-user.target --log-target=journal --show-status=0
