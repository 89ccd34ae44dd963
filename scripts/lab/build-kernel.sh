#!/bin/sh
# Builds the lab's kernel: Debian's own kernel source for User Mode Linux, with gpio-sim, i2c-dev and CUSE.
# About 5 minutes on 2 cores. Usage: build-kernel.sh OUTPUT-DIR   -> OUTPUT-DIR/linux, OUTPUT-DIR/i2c-stub.ko
# Needs linux-source flex bison bc gcc make xz-utils (Debian 12), which it installs where it is root and apt is there.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
tarballs() { find /usr/src -maxdepth 1 -name 'linux-source-*.tar.xz' 2>/dev/null | sort -V; }
equipped() {
	for tool in flex bison bc gcc make xz; do
		command -v "$tool" >/dev/null || return 1
	done
	[ -n "$(tarballs | tail -n 1)" ]
}
if ! equipped && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends linux-source flex bison bc gcc libc6-dev make xz-utils
fi
if ! equipped; then
	echo "build-kernel.sh: install linux-source flex bison bc gcc make xz-utils first" >&2
	exit 1
fi
tarball=$(tarballs | tail -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
tar -xf "$tarball" -C "$work"
cd "$work"/linux-source-*

# Two things UML lacks and gpio-sim's simulated interrupts need:
# interrupt numbers given out as drivers ask for them, and work that runs at once rather than at the next timer tick.
sed -i 's/^config UML$/&\n\tselect MAY_HAVE_SPARSE_IRQ/' arch/um/Kconfig
cat >>arch/um/kernel/irq.c <<'C'

#include <linux/irq_work.h>
#include <linux/hardirq.h>

int __init arch_probe_nr_irqs(void)
{
	return NR_IRQS;
}

void arch_irq_work_raise(void)
{
	unsigned long flags;

	if (in_hardirq())
		return;
	local_irq_save(flags);
	irq_enter();
	irq_work_run();
	irq_exit();
	local_irq_restore(flags);
}
C
# A released output keeps its level, as the Raspberry Pi's own kernel has it; gpio-sim alone lets it go back to its pull.
sed -i 's/^\tgc->free = gpio_sim_free;$/\t(void)gpio_sim_free;/' drivers/gpio/gpio-sim.c
grep -q '(void)gpio_sim_free;' drivers/gpio/gpio-sim.c

make -s ARCH=um defconfig
./scripts/kconfig/merge_config.sh -m -O . .config "$here/kernel.config" >/dev/null
make -s ARCH=um olddefconfig
make -s ARCH=um -j"$(nproc)" linux modules
# In place at once and whole, as another lab may be looking for them.
cp drivers/i2c/i2c-stub.ko "$out/i2c-stub.ko.$$"
strip -o "$out/linux.$$" linux
mv "$out/i2c-stub.ko.$$" "$out/i2c-stub.ko"
mv "$out/linux.$$" "$out/linux"
"$out/linux" --version
