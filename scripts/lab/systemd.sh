# shellcheck shell=sh
# A job for boot.sh, with LAB_FIRST=yes: systemd as the first process, on a root of its own in memory with this machine's /usr, and
# in it, as a service, the end-to-end tests that match RUN. BIN holds the programs, SRC is the project's folder.
# Device permissions are udev's and the devices' control group; the kernel has no BPF, hence the older kind of control groups.
set -eu
root=/run/root
mkdir $root
mount -t tmpfs -o mode=755 root $root
cd $root
mkdir -p usr etc/systemd/system var/lib var/log var/tmp run tmp proc sys dev root home old lab/job lab/bin lab/src
for folder in bin sbin lib lib64; do
	[ ! -L /$folder ] || ln -s usr/$folder $folder
done
mount --bind /usr usr
mount -o remount,ro,bind usr
mount -t tmpfs -o mode=755 local usr/local
mkdir -p usr/local/bin
for file in passwd group shadow gshadow nsswitch.conf ld.so.cache login.defs pam.d security ssl; do
	[ ! -e /etc/$file ] || cp -a /etc/$file etc/
done
echo lab >etc/hostname
echo "127.0.0.1 localhost lab" >etc/hosts
echo 0123456789abcdef0123456789abcdef >etc/machine-id
# shellcheck disable=SC2154 # from init.sh
mount --bind "$lab" lab/job
mount --bind "$BIN" lab/bin
mount -o remount,ro,bind lab/bin
mount --bind "$SRC" lab/src
mount -o remount,ro,bind lab/src
cp "$STUB" lab/stub.ko

# What a service on a Raspberry Pi does not see, and takes time here.
for unit in systemd-udev-trigger systemd-random-seed systemd-sysusers systemd-update-utmp systemd-remount-fs systemd-hwdb-update \
	systemd-tmpfiles-setup-dev systemd-journal-flush systemd-sysctl systemd-pcrphase-sysinit keyboard-setup; do
	ln -s /dev/null etc/systemd/system/$unit.service
done
cat >etc/systemd/system/lab.target <<'U'
[Unit]
Requires=basic.target
Wants=tests.service
After=basic.target
AllowIsolate=yes
U
cat >etc/systemd/system/tests.service <<U
[Unit]
After=basic.target
[Service]
Type=exec
Environment=SIM=$SIM BIN=/lab/bin STUB=/lab/stub.ko SRC=/lab/src TMPDIR=/dev/shm HOME=/root
Environment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_COLORS=0
ExecStart=/bin/sh /lab/job/tests.sh
U
cat >lab/job/tests.sh <<T
# A line for each test as it ends, so that one sees how far a lab came that ran out of time.
{ /lab/bin/e2e.test -test.v -test.run '$RUN' -test.timeout 400s 2>&1; echo \$? >/run/code; } | tee /run/e2e |
	sed -u -n -E -e 's/^--- PASS: /pass  e2e, under systemd: /p' -e 's/^--- FAIL: /FAIL  e2e, under systemd: /p' -e 's/^--- SKIP: /skip  e2e, under systemd: /p' >/dev/console
code=\$(cat /run/code)
! grep -q '^panic: test timed out' /run/e2e || code=124 # as boot.sh has it
[ \$code = 0 ] || { echo "--- all of e2e under systemd, which ended with \$code:"; cat /run/e2e; journalctl --no-pager -u gatewayd -n 200; } >/dev/console
echo \$code >/lab/job/status
sync
echo o >/proc/sysrq-trigger
T
mount -t proc proc proc
mount --move /sys sys
mount --move /dev dev
mount -t tmpfs -o mode=755 run run
pivot_root . old
umount -l /old
unset lab
SYSTEMD_PROC_CMDLINE="systemd.unified_cgroup_hierarchy=0 systemd.show_status=0 systemd.log_level=warning systemd.log_target=console" \
	exec /lib/systemd/systemd --unit=lab.target </dev/console >/dev/console 2>&1
