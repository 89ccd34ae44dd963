package chip

import "testing"

// Two ports that take turns, byte by byte, in writes and in reads.
func TestPCF8575(t *testing.T) {
	r := newRig(t, "pcf8575", nil)
	r.expect(nil, 0xff, 0xff)
	r.set("input p12 low")
	r.pin("int", false)
	r.expect(nil, 0xff)
	r.pin("int", false) // the other port's
	r.expect(nil, 0xff, 0xfb, 0xff, 0xfb)
	r.pin("int", true)
	r.write(0xfe, 0x7f)
	r.get("latch", "0x7ffe")
	r.expect(nil, 0xfe, 0x7b)
	r.write(0x01) // port 0 alone
	r.get("latch", "0x7f01")
	r.write(1, 2, 3)
	r.get("latch", "0x0203")
	r.pin("p17", false)
	r.set("short 15 high")
	r.pin("p17", true)
	r.chip.Reset()
	r.get("latch", "0xffff")
	r.expect(nil, 0xff, 0xfb)
}

// PCA9534, 6.1: four registers, and a command that stays where it is.
func TestPCA9534(t *testing.T) {
	r := newRig(t, "pca9534", nil)
	r.expect([]byte{0}, 0x00) // nothing pulls
	r.expect([]byte{1}, 0xff, 0xff, 0xff)
	r.expect([]byte{2}, 0x00)
	r.expect([]byte{3}, 0xff)
	r.set("input 3 high")
	r.pin("int", false)
	r.expect([]byte{1}, 0xff)
	r.pin("int", false) // only the input register ends it
	r.expect([]byte{0}, 0x08, 0x08)
	r.pin("int", true)
	r.write(1, 0x05, 0x01) // both go to the same register
	r.write(3, 0xfe)
	r.get("out", "0x01")
	r.pin("p0", true)
	r.write(2, 0x08)
	r.expect([]byte{0}, 0x01)
	r.expect(nil, 0x01) // the command stays
	r.write(0, 0xff)    // the input register cannot be written
	r.expect([]byte{0}, 0x01)
	r.chip.Reset()
	r.get("config", "0xff")
	r.expect(nil, 0x08)
}

// PCA9555, 6.2: pairs, within which the address steps.
func TestPCA9555(t *testing.T) {
	r := newRig(t, "pca9555", nil)
	r.expect([]byte{0}, 0xff, 0xff, 0xff)
	r.write(2, 0x01, 0x02, 0x03)
	r.get("out", "0x0203")
	r.expect([]byte{3}, 0x02, 0x03, 0x02)
	r.write(7, 0xfd)
	r.get("config", "0xfdff")
	r.expect([]byte{6}, 0xff, 0xfd, 0xff, 0xfd)
	r.pin("p11", true)
	r.pin("int", true)
	r.set("input p07 low")
	r.set("input p17 low")
	r.pin("int", false)
	r.expect([]byte{0}, 0x7f)
	r.pin("int", false) // port 1's goes on
	r.expect([]byte{1}, 0x7f)
	r.pin("int", true)
	r.set("input p07 open")
	r.pin("int", false)
	r.set("input p07 low") // back to what was read
	r.pin("int", true)
	r.expect(nil, 0x7f, 0x7f) // the last command was port 1's
	r.chip.Reset()
	r.get("out", "0xffff")
	r.get("config", "0xffff")
}

// MCP23008: the registers of an MCP23017 with one port, at half their addresses, and one interrupt.
func TestMCP23008(t *testing.T) {
	r := newRig(t, "mcp23008", nil)
	r.expect([]byte{0}, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0)
	r.write(5, 0xff)
	r.get("iocon", "0x3e") // bits 7, 6 and 0 are not there
	r.write(5, 0x04)
	r.write(6, 0x08)
	r.write(2, 0x08)
	r.expect([]byte{9}, 0x08, 0x00)
	r.set("input gp3 low")
	r.pin("int", false)
	r.set("input 3 open")
	r.expect([]byte{7}, 0x08, 0x00, 0x08)
	r.pin("int", true)
	r.write(0x0a, 0x01)
	r.write(0, 0xfe)
	r.pin("gp0", true)
	r.chip.Reset()
	r.get("iodir", "0xff")
}
